using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Quantization;
using Fewbit.Transforms;

namespace Fewbit.Benchmarks.FormatTables;

/// <summary>One way to quantize a network: a row of docs/results/formats.md.</summary>
/// <param name="Network">Name of the network.</param>
/// <param name="Weights">Format of the weights.</param>
/// <param name="Activations">Format of the activations.</param>
/// <param name="Range">Range rule of weights and activations alike; <see cref="Default"/> leaves both to the options.</param>
/// <param name="Granularity">Which weights share a scale: channel or tensor.</param>
/// <param name="Equalizes">Whether layers are equalized first.</param>
/// <param name="Corrects">Whether biases are corrected afterwards.</param>
internal sealed record FormatRow(string Network, string Weights, string Activations, string Range = FormatRow.Default, string Granularity = FormatRow.PerChannel, bool Equalizes = false, bool Corrects = false)
{
    public const string Default = "default", PerChannel = "channel", PerTensor = "tensor";

    /// <summary>The networks of the full factorial.</summary>
    public static readonly string[] FactorialNetworks = ["resnet20_jpegft", "mobilenetv2_1.0_dequant"];

    /// <summary>The range rules of the factorial.</summary>
    public static readonly string[] Ranges = ["minmax", "moving-average", "percentile", "mse", "entropy"];

    /// <summary>The formats of the factorial, weights first.</summary>
    public static readonly (string Weights, string Activations)[] Integers = [("int8", "uint8"), ("int6", "uint8"), ("int4", "uint8"), ("int4", "uint4")];

    /// <summary>Small floats, weights first; float activations show what the weights alone cost.</summary>
    public static readonly (string Weights, string Activations)[] Floats =
    [
        ("fp8e4m3fn", "fp8e4m3fn"), ("fp8e5m2", "fp8e5m2"), ("fp6e3m2", "fp6e3m2"), ("fp6e2m3", "fp6e2m3"), ("fp4e2m1", "fp4e2m1"),
        ("fp8e4m3fn", Float), ("fp8e5m2", Float), ("fp6e3m2", Float), ("fp6e2m3", Float), ("fp4e2m1", Float),
    ];

    /// <summary>Activations that are not quantized.</summary>
    public const string Float = "float";

    /// <summary>Identifies the row.</summary>
    public string Key => $"{Network} {Formats} {Range} {Granularity}{(Equalizes ? " equalized" : "")}{(Corrects ? " corrected" : "")}";

    /// <summary>The formats as papers write them: W4A8; small floats by name.</summary>
    public string Formats => Weights.StartsWith("fp", StringComparison.Ordinal) ? $"{Weights} / {Activations}" : $"W{Weights[3..]}A{Activations[4..]}";

    /// <summary>What differs from the default of the formats.</summary>
    public string[] Steps =>
    [
        .. Range != Default ? [Range] : (string[])[],
        .. Granularity == PerTensor ? ["one scale a weight"] : (string[])[],
        .. Equalizes ? ["equalized"] : (string[])[],
        .. Corrects ? ["biases corrected"] : (string[])[],
    ];

    public QuantizationOptions Options => new()
    {
        Weights = NumberFormats.Parse(Weights),
        Activations = Activations == Float ? null : NumberFormats.Parse(Activations),
        WeightRange = Range == Default ? null : RangeRule.Parse(Range),
        ActivationRange = Range == Default ? null : RangeRule.Parse(Range),
        WeightGranularity = WeightGranularity.Parse(Granularity),
        Transforms = [.. Equalizes ? (ModelTransform[])[new EqualizeLayers()] : [], .. Corrects ? (ModelTransform[])[new CorrectBiases()] : []],
    };

    /// <summary>Every combination for a network.</summary>
    public static IEnumerable<FormatRow> Factorial(string network) =>
        from formats in Integers
        from range in (string[])[Default, .. Ranges]
        from granularity in (string[])[PerChannel, PerTensor]
        from equalizes in (bool[])[false, true]
        from corrects in (bool[])[false, true]
        select new FormatRow(network, formats.Weights, formats.Activations, range, granularity, equalizes, corrects);

    /// <summary>The other classifiers: the default, and bias correction, which is best for both networks of the factorial below 8 bits.</summary>
    public static IEnumerable<FormatRow> Others() =>
        from network in (string[])["resnet20", "resnet56", "mlperf_tiny_resnet8", "squeezenet1_1", "tinydarknet"]
        from formats in ((string Weights, string Activations)[])[("int8", "uint8"), ("int4", "uint8")]
        from corrects in (bool[])[false, true]
        select new FormatRow(network, formats.Weights, formats.Activations, Corrects: corrects);

    /// <summary>Small floats for a network, first with the default ranges.</summary>
    public static IEnumerable<FormatRow> SmallFloats(string network) =>
        from range in (string[])[Default, "minmax"]
        from formats in Floats
        select new FormatRow(network, formats.Weights, formats.Activations, range);
}
