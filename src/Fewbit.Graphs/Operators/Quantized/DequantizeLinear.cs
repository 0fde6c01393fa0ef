using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>ONNX DequantizeLinear, opset 10 to 25: (x - zero_point) * scale.</summary>
/// <param name="Axis">Dimension of x that a 1-D scale runs along; negative counts from the back.</param>
/// <param name="BlockSize">Elements along the axis that share a scale; 0 where the scale is not blocked.</param>
/// <param name="OutputType">Type of the result; Undefined for the scale's.</param>
internal sealed record DequantizeLinear(long Axis, long BlockSize, ElementType OutputType) : IOperator
{
    public static DequantizeLinear Parse(Node node) =>
        new(node.Int("axis", 1), node.Int("block_size", 0), (ElementType)node.Int("output_dtype", 0));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 3);
        context.SetOutput(0, OutputType == ElementType.Undefined ? context.InputType(1) : OutputType, context.InputShape(0));
    }

    public void Evaluate(EvaluationContext context)
    {
        (Node node, Tensor x, Tensor scale, Tensor y) = (context.Node, context.Input(0), context.Input(1), context.Output(0));
        node.Expect(x.Type.HasCodes() || x.Type.IsFloat(), $"does not take {x.Type.Name()}");
        Granularity granularity = Granularity.Of(node, x.Shape, scale.Shape, Axis, BlockSize);
        float[] scales = Floats.Read(scale);
        int[] zeroPoints = x.Type.HasCodes() && context.FindInput(2) is { } zeroPoint ? Codes.Read(zeroPoint) : new int[scales.Length];
        node.Expect(zeroPoints.Length == scales.Length, $"has {scales.Length} scales and {zeroPoints.Length} zero points, expected as many");
        float[]? converted = y.Type == ElementType.Float32 ? null : new float[x.ElementCount];
        Span<float> values = converted ?? y.Span<float>();
        switch (x.Type)
        {
            case ElementType type when type.IsFloat():
                float[] numbers = Floats.Read(x);
                for (int i = 0; i < numbers.Length; i++) values[i] = numbers[i] * scales[granularity.ScaleOf(i)];
                break;
            case ElementType.UInt8 or ElementType.Int8: RunBytes(x, scales, zeroPoints, granularity, values); break;
            default: Run(Codes.Read(x), scales, zeroPoints, granularity, values); break;
        }
        if (converted is not null) Floats.Write(converted, y);
    }

    private static unsafe void RunBytes(Tensor x, float[] scales, int[] zeroPoints, in Granularity granularity, Span<float> y)
    {
        int run = (int)Math.Max(1, granularity.Run);
        fixed (float* values = y)
        {
            for (int start = 0; start < y.Length; start += run)
            {
                long group = granularity.ScaleOf(start);
                Quantization.Dequantize(x.Address + start, values + start, run, scales[group], zeroPoints[group], x.Type == ElementType.Int8);
            }
        }
    }

    private static void Run(ReadOnlySpan<int> x, float[] scales, int[] zeroPoints, in Granularity granularity, Span<float> y)
    {
        int run = (int)Math.Max(1, granularity.Run);
        for (int start = 0; start < x.Length; start += run)
        {
            long group = granularity.ScaleOf(start);
            (float scale, int zeroPoint) = (scales[group], zeroPoints[group]);
            for (int i = start; i < start + run; i++) y[i] = (x[i] - zeroPoint) * scale;
        }
    }
}
