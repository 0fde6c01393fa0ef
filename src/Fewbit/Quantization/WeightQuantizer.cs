using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Tensors;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Fewbit.Quantization;

/// <summary>A weight that is rounded.</summary>
/// <param name="Codes">Codes of the format, shape of the weight.</param>
/// <param name="Parameters">Format, scales and zero points.</param>
/// <param name="Form">How the file is to hold it.</param>
/// <param name="Bias">int32 codes of scale input scale * weight scale, one per channel; null where the bias stays float or there is none.</param>
/// <param name="Report">What was done.</param>
internal sealed record QuantizedWeight(Tensor Codes, QuantizationParameters Parameters, WeightForm Form, Tensor? Bias, WeightReport Report)
{
    /// <summary>The scales in the file: one per channel, per block, or one.</summary>
    public float[] Scales { get; } = Array.ConvertAll(Parameters.Scales.ToArray(), scale => scale * Form.ScaleFactor);

    /// <summary>Dimension of the channels or blocks; null for one scale.</summary>
    public int? Axis => Parameters.Granularity.Axis;

    /// <summary>int8: code - zero point, or the multiple of the grid's unit.</summary>
    public Tensor Centred()
    {
        int[] integers = AffineQuantizer.Unpack(Codes);
        if (Form.Grid is { } grid) integers = Array.ConvertAll(integers, code => (int)grid.Multiples[code]);
        else foreach ((int place, int start, int length) in AffineQuantizer.Runs(Codes.Shape, Parameters)) foreach (ref int code in integers.AsSpan(start, length)) code -= Parameters.ZeroPoints[place];
        return AffineQuantizer.Pack(integers, Codes.Shape, ElementType.Int8);
    }

    /// <summary>Bytes of the codes in the file.</summary>
    public long StoredBytes => Form switch
    {
        { Storage: WeightStorage.Typed or WeightStorage.Cast } => (Codes.ElementCount * Form.StoredType.BitWidth() + 7) / 8,
        { IsPacked: true } => PackedWords.ByteCount(Codes.ElementCount, Parameters.Numbers.BitWidth),
        _ => Codes.ElementCount,
    };

    /// <summary>True where both stand for the same numbers in the same form.</summary>
    public bool SameAs(QuantizedWeight other) => Form == other.Form && Parameters.SameAs(other.Parameters) && Codes.Bytes.SequenceEqual(other.Codes.Bytes);
}

/// <summary>Rounds weights to the nearest code, or takes given codes; rounds biases to 32 bits.</summary>
internal static class WeightQuantizer
{
    // The int32 accumulator holds bias and products: half of its range is left to 255 * 127 * 33,000 products.
    private const double LargestBiasCode = 1 << 30;
    private const double ZeroChannelBiasCode = 1 << 23;

    /// <param name="node">The node that reads the weight.</param>
    /// <param name="weight">Its weight.</param>
    /// <param name="bias">One float per channel; null without bias.</param>
    /// <param name="inputScale">Scale of the node's other operand.</param>
    /// <param name="format">Codes: signed integers are symmetric, unsigned ones affine.</param>
    /// <param name="rule">How the range of a channel or of the whole weight is chosen.</param>
    /// <param name="granularity">Which weights share a scale.</param>
    /// <param name="place">What decides how the file holds it.</param>
    /// <param name="given">Codes that are to be written as they are; null: the nearest ones.</param>
    public static QuantizedWeight Quantize(Node node, Value weight, Tensor? bias, float inputScale, NumberFormat format, RangeRule rule, WeightGranularity granularity, WeightPlace place = default, GivenWeight? given = null)
    {
        int axis = OperatorRules.ChannelAxis(node);
        Tensor original = weight.Constant!;
        // Rounding what codes stand for gives these codes again, but for channels that need another scale.
        Tensor values = given is null ? original : AffineQuantizer.Dequantize(given.Codes, given.Parameters);
        QuantizationParameters fitted = given?.Parameters ?? FitChannels(values, axis, CodesOf(format), rule, granularity);
        bool isPerTensor = granularity == WeightGranularity.PerTensor, isBlocked = fitted.Granularity.BlockSize > 0;
        WeightForm form = WeightForm.Of(fitted.Numbers, isBlocked, place);
        if (!form.IsInteger) bias = null;
        // The bias has the scale that the file states for the weight.
        float step = inputScale * form.ScaleFactor;
        (QuantizationParameters parameters, List<int> zero, List<int> widened) = isBlocked ? (fitted, [], []) : WithRoomForBias(fitted, values, bias, step, isPerTensor);
        Tensor? biasCodes = bias is null ? null : QuantizeBias(bias, parameters.Scales.ToArray(), step);
        if (isPerTensor) parameters = new(parameters.Numbers, parameters.Scales[0], parameters.ZeroPoints[0]);
        Tensor quantized = AffineQuantizer.Quantize(values, parameters);
        var report = new WeightReport(node.Name, weight.Name, format, parameters.Granularity, values.ElementCount,
            SignalToNoise(original, AffineQuantizer.Dequantize(quantized, parameters)), zero, widened, 0) { Stored = form.Description, IsComputedInFloat = !form.IsInteger, Remark = isBlocked ? "" : DegenerateTensors.RemarkOf(Channels(values, axis), parameters) };
        var result = new QuantizedWeight(quantized, parameters, form, biasCodes, report);
        return form is { IsInteger: true, Storage: not WeightStorage.Typed } ? result with { Report = report with { MaxPairSum = MaxPairSum(result.Centred(), axis) } } : result;
    }

    /// <summary>The codes in use: signed formats are symmetric, so the lowest code has no counterpart.</summary>
    public static NumberFormat CodesOf(NumberFormat format) => format is IntegerFormat { IsSigned: true, BitWidth: > 1 } integer ? integer with { IsNarrow = true } : format;

    /// <summary>Unsigned integers are affine; whatever has no zero point to choose counts as symmetric.</summary>
    public static QuantizationScheme SchemeOf(NumberFormat format) => format is IntegerFormat { IsSigned: false } ? QuantizationScheme.Affine : QuantizationScheme.Symmetric;

    /// <summary>round(bias / (input scale * weight scale)), the product taken in float as runtimes do.</summary>
    private static Tensor QuantizeBias(Tensor bias, float[] scales, float inputScale)
    {
        var codes = new int[scales.Length];
        for (int c = 0; c < codes.Length; c++) codes[c] = (int)Math.Round(bias.Span<float>()[c] / (double)(inputScale * scales[c]), MidpointRounding.ToEven);
        return Tensor.From<int>(codes);
    }

    /// <summary>Scale and zero point of each output channel, equal ones where the whole weight shares them. Signed formats are symmetric, unsigned ones affine.</summary>
    public static QuantizationParameters FitChannels(Tensor weight, int axis, NumberFormat codes, RangeRule rule, WeightGranularity granularity = default)
    {
        QuantizationScheme scheme = SchemeOf(codes);
        var all = new MinMaxEstimator();
        all.Observe(weight.Span<float>());
        if (granularity.Of(weight.Shape, axis) is { BlockSize: > 0 } blocks) return FitBlocks();
        (float Scale, int ZeroPoint)[] channels = granularity == WeightGranularity.PerTensor
            ? [.. Enumerable.Repeat(Fit(weight.Span<float>().ToArray()), (int)weight.Shape[axis])]
            : [.. Channels(weight, axis).Select(Fit)];
        return new(codes, Granularity.PerChannel(axis), [.. channels.Select(channel => channel.Scale)], [.. channels.Select(channel => channel.ZeroPoint)]);

        QuantizationParameters FitBlocks()
        {
            (int Place, int Start, int Length)[] runs = [.. AffineQuantizer.Runs(weight.Shape, blocks)];
            var members = new List<float>[blocks.ScaleShape(weight.Shape).ElementCount];
            foreach ((int place, int start, int length) in runs) (members[place] ??= []).AddRange(weight.Span<float>().Slice(start, length));
            (float Scale, int ZeroPoint)[] fitted = new (float, int)[members.Length];
            // A histogram of a few numbers costs more than to try ranges on the numbers themselves.
            bool tries = rule == RangeRule.MeanSquaredError;
            Parallel.For(0, fitted.Length, i => fitted[i] = tries || rule == RangeRule.MinMax ? BlockFit.Fit([.. members[i]], codes, scheme, tries) : Fit([.. members[i]]));
            return new(codes, blocks, [.. fitted.Select(grid => grid.Scale)], [.. fitted.Select(grid => grid.ZeroPoint)]);
        }

        (float, int) Fit(float[] values)
        {
            RangeEstimator estimator = rule.CreateChannelEstimator(all.Observed);
            estimator.Observe(values);
            return estimator.Observed is { Min: 0, Max: 0 } ? QuantizationParameters.Fit(default, codes, scheme) : estimator.Fit(codes, scheme);
        }
    }

    /// <summary>Enlarges scales with which a bias would not fit into 32 bits.</summary>
    private static (QuantizationParameters Parameters, List<int> Zero, List<int> Widened) WithRoomForBias(QuantizationParameters fitted, Tensor weight, Tensor? bias, float inputScale, bool isPerTensor)
    {
        float[] scales = fitted.Scales.ToArray();
        int[] zeroPoints = fitted.ZeroPoints.ToArray();
        List<int> zero = [], widened = [];
        float[][] rows = Channels(weight, fitted.Granularity.Axis!.Value);
        var integers = fitted.Numbers as IntegerFormat;
        // One scale for all serves the largest bias.
        float largest = bias is null ? 0 : MathF.Abs(TensorPrimitives.MaxMagnitude(bias.Span<float>()));
        for (int c = 0; c < scales.Length; c++)
        {
            float size = bias is null ? 0 : isPerTensor ? largest : MathF.Abs(bias.Span<float>()[c]);
            bool isZero = !rows[c].AsSpan().ContainsAnyExcept(0f);
            if (isZero) zero.Add(c);
            // No weight needs the scale of a zero channel: it serves the bias alone.
            if (isZero && size > 0 && !isPerTensor) scales[c] = Math.Max((float)(size / (inputScale * ZeroChannelBiasCode)), float.Epsilon);
            float least = (float)Math.Max(size * 1.0001 / (inputScale * LargestBiasCode), 4 * 1.17549435e-38 / Math.Min(1, inputScale));
            if (scales[c] >= least) continue;
            if (integers is { IsSigned: false }) zeroPoints[c] = (int)Math.Clamp(Math.Round(zeroPoints[c] * scales[c] / least), integers.Min, integers.Max);
            scales[c] = least;
            if (!isZero || isPerTensor) widened.Add(c);
        }
        return (new(fitted.Numbers, fitted.Granularity, scales, zeroPoints), zero, widened);
    }

    /// <summary>The weights of each channel, in the order of memory.</summary>
    private static float[][] Channels(Tensor values, int axis)
    {
        int channels = (int)values.Shape[axis], inner = (int)values.Shape.CountOf(axis + 1, values.Rank), outer = (int)values.Shape.CountOf(0, axis);
        ReadOnlySpan<float> source = values.Span<float>();
        var rows = new float[channels][];
        for (int c = 0; c < channels; c++)
        {
            rows[c] = new float[outer * inner];
            for (int o = 0; o < outer; o++) source.Slice((o * channels + c) * inner, inner).CopyTo(rows[c].AsSpan(o * inner));
        }
        return rows;
    }

    private static double SignalToNoise(Tensor values, Tensor quantized)
    {
        double signal = 0, noise = 0;
        ReadOnlySpan<float> a = values.Span<float>(), b = quantized.Span<float>();
        for (int i = 0; i < a.Length; i++)
        {
            double difference = (double)a[i] - b[i];
            signal += (double)a[i] * a[i];
            noise += difference * difference;
        }
        return noise == 0 ? double.PositiveInfinity : 10 * Math.Log10(signal / noise);
    }

    /// <summary>255 times the two largest codes of one sign in one channel: no pair of neighbours can exceed it.</summary>
    private static int MaxPairSum(Tensor centred, int axis)
    {
        ReadOnlySpan<sbyte> codes = centred.Span<sbyte>();
        int channels = (int)centred.Shape[axis];
        var highest = new (int First, int Second)[channels];
        var lowest = new (int First, int Second)[channels];
        foreach ((int channel, int start, int length) in AffineQuantizer.Runs(centred.Shape, Granularity.PerChannel(axis)))
        {
            for (int i = start; i < start + length; i++)
            {
                highest[channel] = Insert(highest[channel], codes[i]);
                lowest[channel] = Insert(lowest[channel], -codes[i]);
            }
        }
        return 255 * highest.Concat(lowest).Max(pair => pair.First + pair.Second);
    }

    private static (int First, int Second) Insert((int First, int Second) pair, int code) =>
        code > pair.First ? (code, pair.First) : code > pair.Second ? (pair.First, code) : pair;

    /// <exception cref="InvalidDataException">A weight or bias of the node is NaN or infinite.</exception>
    public static void CheckFinite(Node node)
    {
        foreach (Value input in node.Inputs.OfType<Value>().Where(input => input.Constant is { Type: ElementType.Float32 })) CheckFinite(node, input.Name, input.Constant!);
    }

    private static void CheckFinite(Node node, string name, Tensor tensor)
    {
        ReadOnlySpan<float> values = tensor.Span<float>();
        for (int i = 0; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i])) throw node.Fail($"'{name}' {tensor} holds {values[i]} at position {i}, expected finite numbers; repair the model or exclude the node");
        }
    }
}
