using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>ONNX QuantizeLinear, opset 10 to 25: saturate(round_half_even(x / scale) + zero_point); to a minifloat x / scale rounded to it.</summary>
/// <remarks>The division is that of float32; from opset 23 on that of <paramref name="Precision"/>, which is the scale's type where it is left out.</remarks>
/// <param name="Axis">Dimension of x that a 1-D scale runs along; negative counts from the back.</param>
/// <param name="BlockSize">Elements along the axis that share a scale; 0 where the scale is not blocked.</param>
/// <param name="OutputType">Type of the codes where no zero point states it; Undefined for uint8.</param>
/// <param name="Saturates">Whether numbers beyond an 8-bit minifloat become its largest instead of NaN or infinity.</param>
/// <param name="Precision">Type that x is divided in; Undefined for the scale's.</param>
internal sealed record QuantizeLinear(long Axis, long BlockSize, ElementType OutputType, bool Saturates, ElementType Precision) : IOperator
{
    public static QuantizeLinear Parse(Node node) =>
        new(node.Int("axis", 1), node.Int("block_size", 0), (ElementType)node.Int("output_dtype", 0), node.Int("saturate", 1) != 0,
            node.OpsetVersion < 23 ? ElementType.Float32 : (ElementType)node.Int("precision", 0));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 3);
        ElementType type = context.HasInput(2) ? context.InputType(2) : OutputType == ElementType.Undefined ? ElementType.UInt8 : OutputType;
        context.Node.Expect(OutputType == ElementType.Undefined || type == ElementType.Undefined || type == OutputType, $"output_dtype is {OutputType.Name()}, but the zero point is {type.Name()}, expected one type");
        context.SetOutput(0, type, context.InputShape(0));
    }

    public void Evaluate(EvaluationContext context)
    {
        (Node node, Tensor x, Tensor scale, Tensor y) = (context.Node, context.Input(0), context.Input(1), context.Output(0));
        node.Expect(y.Type.HasCodes() || y.Type.IsFloat(), $"does not make {y.Type.Name()}");
        Granularity granularity = Granularity.Of(node, x.Shape, scale.Shape, Axis, BlockSize);
        float[] scales = Floats.Read(scale);
        int[] zeroPoints = y.Type.HasCodes() && context.FindInput(2) is { } zeroPoint ? Codes.Read(zeroPoint) : new int[scales.Length];
        node.Expect(zeroPoints.Length == scales.Length, $"has {scales.Length} scales and {zeroPoints.Length} zero points, expected as many");
        ReadOnlySpan<float> values = x.Type == ElementType.Float32 ? x.Span<float>() : Floats.Read(x);
        if ((Precision == ElementType.Undefined ? scale.Type : Precision) is var precision && Converted.IsHalf(precision))
        {
            values = Quotients(x, scales, granularity, precision);
            scales.AsSpan().Fill(1);
        }
        switch (y.Type)
        {
            case ElementType type when type.IsFloat(): Scale(values, scales, granularity, y); break;
            case ElementType.UInt8 or ElementType.Int8: RunBytes(values, scales, zeroPoints, granularity, y); break;
            case ElementType.UInt16: Run(values, scales, zeroPoints, granularity, y.Span<ushort>()); break;
            case ElementType.Int16: Run(values, scales, zeroPoints, granularity, y.Span<short>()); break;
            default:
                var codes = new int[values.Length];
                (int min, int max) = CodeRange.Of(y.Type);
                Run(values, scales, zeroPoints, granularity, codes, min, max);
                Codes.Write(codes, y);
                break;
        }
    }

    /// <summary>x / scale in a type of 16 bits.</summary>
    private static float[] Quotients(Tensor x, float[] scales, in Granularity granularity, ElementType precision)
    {
        float[] values = Floats.Read(Casting.Convert(x, precision)), divisors = Floats.Read(Casting.Convert(Tensor.From<float>(scales), precision));
        for (int i = 0; i < values.Length; i++) values[i] /= divisors[granularity.ScaleOf(i)];
        return Floats.Read(Casting.Convert(Tensor.From<float>(values), precision));
    }

    private void Scale(ReadOnlySpan<float> x, float[] scales, in Granularity granularity, Tensor y)
    {
        var scaled = new float[x.Length];
        for (int i = 0; i < scaled.Length; i++) scaled[i] = x[i] / scales[granularity.ScaleOf(i)] + 0f; // the zero point: -0 becomes 0
        Floats.Write(scaled, y, Saturates);
    }

    private static unsafe void RunBytes(ReadOnlySpan<float> x, float[] scales, int[] zeroPoints, in Granularity granularity, Tensor y)
    {
        int run = (int)Math.Max(1, granularity.Run);
        fixed (float* values = x)
        {
            for (int start = 0; start < x.Length; start += run)
            {
                long group = granularity.ScaleOf(start);
                Quantization.Quantize(values + start, y.Address + start, run, scales[group], zeroPoints[group], y.Type == ElementType.Int8);
            }
        }
    }

    private static void Run<T>(ReadOnlySpan<float> x, float[] scales, int[] zeroPoints, in Granularity granularity, Span<T> y)
        where T : unmanaged, System.Numerics.IBinaryInteger<T>, System.Numerics.IMinMaxValue<T> =>
        Run(x, scales, zeroPoints, granularity, y, int.CreateTruncating(T.MinValue), int.CreateTruncating(T.MaxValue));

    private static void Run<T>(ReadOnlySpan<float> x, float[] scales, int[] zeroPoints, in Granularity granularity, Span<T> y, int min, int max)
        where T : unmanaged, System.Numerics.IBinaryInteger<T>
    {
        int run = (int)Math.Max(1, granularity.Run);
        for (int start = 0; start < x.Length; start += run)
        {
            long group = granularity.ScaleOf(start);
            (float scale, int zeroPoint) = (scales[group], zeroPoints[group]);
            for (int i = start; i < start + run; i++) y[i] = T.CreateTruncating(Rounding.ToCode(x[i] / scale, zeroPoint, min, max));
        }
    }
}
