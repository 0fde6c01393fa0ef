using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Tensors;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Fewbit.Quantization;

/// <summary>A weight as the file holds it.</summary>
/// <param name="Codes">int8, code - zero point, shape of the weight.</param>
/// <param name="Scales">One per channel, or one.</param>
/// <param name="Axis">Dimension of the channels; null for one scale.</param>
/// <param name="Bias">int32 codes of scale input scale * weight scale, one per channel; null without bias.</param>
/// <param name="Report">What was done.</param>
internal sealed record QuantizedWeight(Tensor Codes, float[] Scales, int? Axis, Tensor? Bias, WeightReport Report)
{
    /// <summary>True where both stand for the same numbers.</summary>
    public bool SameAs(QuantizedWeight other) => Scales.AsSpan().SequenceEqual(other.Scales) && Codes.Bytes.SequenceEqual(other.Codes.Bytes);
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
    /// <param name="format">Codes: signed is symmetric, unsigned affine.</param>
    /// <param name="rule">How the range of a channel or of the whole weight is chosen.</param>
    /// <param name="granularity">Which weights share a scale.</param>
    /// <param name="given">Codes that are to be written as they are; null: the nearest ones.</param>
    public static QuantizedWeight Quantize(Node node, Value weight, Tensor? bias, float inputScale, NumberFormat format, RangeRule rule, WeightGranularity granularity, GivenWeight? given = null)
    {
        int axis = OperatorRules.ChannelAxis(node);
        Tensor original = weight.Constant!;
        // Rounding what codes stand for gives these codes again, but for channels that need another scale.
        Tensor values = given is null ? original : AffineQuantizer.Dequantize(given.Codes, given.Parameters);
        QuantizationParameters fitted = given?.Parameters ?? FitChannels(values, axis, CodesOf(format), rule, granularity);
        bool isPerTensor = granularity == WeightGranularity.PerTensor;
        (QuantizationParameters parameters, List<int> zero, List<int> widened) = WithRoomForBias(fitted, values, bias, inputScale, isPerTensor);
        Tensor quantized = AffineQuantizer.Quantize(values, parameters);
        var report = new WeightReport(node.Name, weight.Name, format, isPerTensor ? Granularity.PerTensor : parameters.Granularity, values.ElementCount,
            SignalToNoise(original, AffineQuantizer.Dequantize(quantized, parameters)), zero, widened, MaxPairSum(quantized, parameters, axis)) { Remark = DegenerateTensors.RemarkOf(Channels(values, axis), parameters) };
        float[] scales = parameters.Scales.ToArray();
        Tensor? biasCodes = bias is null ? null : QuantizeBias(bias, scales, inputScale);
        return new(Centred(quantized, parameters), isPerTensor ? scales[..1] : scales, isPerTensor ? null : axis, biasCodes, report);
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
        (float Scale, int ZeroPoint)[] channels = granularity == WeightGranularity.PerTensor
            ? [.. Enumerable.Repeat(Fit(weight.Span<float>().ToArray()), (int)weight.Shape[axis])]
            : [.. Channels(weight, axis).Select(Fit)];
        return new(codes, Granularity.PerChannel(axis), [.. channels.Select(channel => channel.Scale)], [.. channels.Select(channel => channel.ZeroPoint)]);

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
            float lowest = (fitted.Format.Min - zeroPoints[c]) * scales[c];
            if (!fitted.Format.IsSigned) zeroPoints[c] = (int)Math.Clamp(Math.Round(-lowest / least), fitted.Format.Min, fitted.Format.Max);
            scales[c] = least;
            if (!isZero || isPerTensor) widened.Add(c);
        }
        return (new(fitted.Format, fitted.Granularity, scales, zeroPoints), zero, widened);
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

    private static Tensor Centred(Tensor codes, QuantizationParameters parameters)
    {
        int[] integers = AffineQuantizer.Unpack(codes);
        foreach ((int channel, int start, int length) in AffineQuantizer.Runs(codes.Shape, parameters))
        {
            for (int i = start; i < start + length; i++) integers[i] -= parameters.ZeroPoints[channel];
        }
        return AffineQuantizer.Pack(integers, codes.Shape, ElementType.Int8);
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
    private static int MaxPairSum(Tensor quantized, QuantizationParameters parameters, int axis)
    {
        int[] codes = AffineQuantizer.Unpack(quantized);
        int channels = (int)quantized.Shape[axis];
        var highest = new (int First, int Second)[channels];
        var lowest = new (int First, int Second)[channels];
        foreach ((int channel, int start, int length) in AffineQuantizer.Runs(quantized.Shape, parameters))
        {
            for (int i = start; i < start + length; i++)
            {
                int code = codes[i] - parameters.ZeroPoints[channel];
                highest[channel] = Insert(highest[channel], code);
                lowest[channel] = Insert(lowest[channel], -code);
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
