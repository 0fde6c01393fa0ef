using System.Runtime.InteropServices;
using Fewbit.Formats;
using Fewbit.Tensors;

namespace Fewbit.Targets;

/// <summary>Where quantizers stand for a target.</summary>
public enum TargetPlacement
{
    /// <summary>Around every node that has a kernel on codes; a Relu or Clip becomes part of the quantizer behind it.</summary>
    IntegerKernels,
    /// <summary>In front of the inputs of layers with weights, and of one side of a sum; a Relu stays in front of the quantizer.</summary>
    WeightedInputs,
}

/// <summary>What a quantized model is written for: the codes that it may hold, and where the target wants them.</summary>
public sealed record ExportTarget
{
    private static readonly ElementType[] s_onnxRuntime =
    [
        ElementType.UInt8, ElementType.Int8, ElementType.UInt16, ElementType.Int16, ElementType.UInt4, ElementType.Int4, ElementType.UInt2, ElementType.Int2,
        ElementType.Float8E4M3FN, ElementType.Float8E4M3FNUZ, ElementType.Float8E5M2, ElementType.Float8E5M2FNUZ,
    ];

    private ExportTarget(string name, string description) => (Name, Description) = (name, description);

    /// <summary>ONNX Runtime on an x64 CPU with VNNI: uint8 activations, int8 weights.</summary>
    public static ExportTarget OrtX64 { get; } = new("ort-x64", "ONNX Runtime on an x64 CPU with VNNI") { Host = Architecture.X64 };

    /// <summary>ONNX Runtime on an x64 CPU without VNNI, where pairs of products are added in 16 bits: weights of 7 bits, so that no pair saturates.</summary>
    public static ExportTarget OrtX64WithoutVnni { get; } = new("ort-x64-no-vnni", "ONNX Runtime on an x64 CPU without VNNI")
    {
        Host = Architecture.X64, Weights = new(7, IsSigned: true), LargestWeightCode = 64,
    };

    /// <summary>ONNX Runtime on a 64-bit ARM CPU: int8 activations with any zero point, so that the quantizer can take the place of a Relu; int8 weights.</summary>
    public static ExportTarget OrtArm { get; } = new("ort-arm", "ONNX Runtime on a 64-bit ARM CPU") { Host = Architecture.Arm64, Activations = IntegerFormat.Int8 };

    /// <summary>NVIDIA TensorRT: int8 activations and weights with zero point 0, float biases, a pair of its own for each reader.</summary>
    public static ExportTarget TensorRt { get; } = new("tensorrt", "NVIDIA TensorRT 10")
    {
        Activations = IntegerFormat.Int8, ActivationScheme = QuantizationScheme.Symmetric, HasIntegerBias = false, SharesPairs = false, Placement = TargetPlacement.WeightedInputs,
        ActivationCodes = [ElementType.Int8, ElementType.Float8E4M3FN], WeightCodes = [ElementType.Int8, ElementType.Float8E4M3FN], MaxOpset = 20,
    };

    /// <summary>The targets by name.</summary>
    public static IReadOnlyList<ExportTarget> All { get; } = [OrtX64, OrtX64WithoutVnni, OrtArm, TensorRt];

    /// <summary>As users write it: ort-x64.</summary>
    public string Name { get; }

    /// <summary>What it is, for messages.</summary>
    public string Description { get; }

    /// <summary>The processor that it runs on; null where that is none of .NET's.</summary>
    public Architecture? Host { get; private init; }

    /// <summary>The format of activations unless the options say another.</summary>
    public IntegerFormat Activations { get; private init; } = IntegerFormat.UInt8;

    /// <summary>Where the zero points of integer activations lie.</summary>
    public QuantizationScheme ActivationScheme { get; private init; } = QuantizationScheme.Affine;

    /// <summary>The format of weights unless the options say another; also that of layers which are to keep 8 bits.</summary>
    public IntegerFormat Weights { get; private init; } = IntegerFormat.Int8;

    /// <summary>Largest |code - zero point| of a weight that layers on 8-bit activations may read.</summary>
    public int LargestWeightCode { get; private init; } = 127;

    /// <summary>Types that the codes of activations may have in the file.</summary>
    public IReadOnlyList<ElementType> ActivationCodes { get; private init; } = s_onnxRuntime;

    /// <summary>Types that the codes of weights may have in the file.</summary>
    public IReadOnlyList<ElementType> WeightCodes { get; private init; } = s_onnxRuntime;

    /// <summary>True: biases are int32 codes of scale input scale * weight scale. False: they stay float.</summary>
    public bool HasIntegerBias { get; private init; } = true;

    /// <summary>True: all readers of a value share one pair of QuantizeLinear and DequantizeLinear. False: each has its own.</summary>
    public bool SharesPairs { get; private init; } = true;

    /// <summary>Where quantizers stand.</summary>
    public TargetPlacement Placement { get; private init; } = TargetPlacement.IntegerKernels;

    /// <summary>The last opset that it reads; null where the release of ONNX Runtime decides.</summary>
    public int? MaxOpset { get; private init; }

    /// <summary>
    /// Whether weights are written as floats with a QuantizeLinear in front of the DequantizeLinear, what TensorRT before release 9 needs: then the file is as large as the float one. Default: false.
    /// </summary>
    public bool WritesFloatWeights { get; init; }

    /// <summary>True for releases of ONNX Runtime.</summary>
    public bool IsOnnxRuntime => MaxOpset is null;

    /// <summary>True where this process runs on the target's processor.</summary>
    public bool IsHere => Host == RuntimeInformation.ProcessArchitecture;

    /// <summary>The rules that a written model must obey.</summary>
    internal IReadOnlyList<TargetRule> Rules => TargetRules.Of(this);

    /// <summary>The target of a name.</summary>
    /// <exception cref="ArgumentException">There is no such target.</exception>
    public static ExportTarget Parse(string name) => All.FirstOrDefault(target => target.Name == name)
        ?? throw new ArgumentException($"there is no target '{name}'{Data.Closest.Suggestion(name, All.Select(target => target.Name))}; there are {string.Join(", ", All.Select(target => target.Name))}", nameof(name));

    /// <summary>The form of messages: ort-x64.</summary>
    public override string ToString() => Name;

    /// <exception cref="ArgumentException">The target cannot run such formats; the message says which it can.</exception>
    internal void Check(NumberFormat weights, NumberFormat? activations)
    {
        if (activations is null && !IsOnnxRuntime) throw new ArgumentException($"{Name} computes in int8 only where activations have codes too; leave float activations out");
        if (activations is not null && WhyNotActivations(activations) is { } reason) throw new ArgumentException($"activations cannot be {activations.Name} for {Name}: {reason}");
        if (WhyNotWeights(weights, activations) is { } other) throw new ArgumentException($"weights cannot be {weights.Name} for {Name}: {other}");
    }

    private string? WhyNotActivations(NumberFormat format)
    {
        if (Host == Architecture.X64 && format is IntegerFormat { IsSigned: true, BitWidth: <= 8 })
            return $"it computes in uint8, and turns int8 into that only where a single node reads the codes; expected uint{format.BitWidth}";
        // Few bits would be a Clip on codes, which only ONNX Runtime takes.
        if (IsOnnxRuntime || (format.OnnxType is { } type && ActivationCodes.Contains(type))) return null;
        return $"expected {Listed(ActivationCodes)}";
    }

    private string? WhyNotWeights(NumberFormat format, NumberFormat? activations)
    {
        if (format is IntegerFormat { BitWidth: <= 8 } integer)
        {
            int largest = integer.IsSigned ? integer.Max : integer.Max - integer.Min;
            return largest <= LargestWeightCode || activations is null or { BitWidth: > 8 } ? null
                : $"pairs of products of 8 bits each exceed 16 bits there and saturate; expected int{Weights.BitWidth} or fewer bits (uint{Weights.BitWidth - 1} or fewer), or session.x64quantprecision=1 in the runtime with the target ort-x64";
        }
        if (IsOnnxRuntime) return null;
        bool isKnown = format.OnnxType is { } type && WeightCodes.Contains(type) && type == activations?.OnnxType;
        return isKnown ? null : "expected int8 or fewer bits, or fp8e4m3fn beside activations of that format";
    }

    private static string Listed(IReadOnlyList<ElementType> types) =>
        string.Join(" or ", types.Select(type => type == ElementType.Float8E4M3FN ? MiniFloatFormat.E4M3FN.Name : type.Name()));
}
