using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>ONNX DynamicQuantizeLinear: uint8 codes over the range of this very tensor, which is widened to hold 0.</summary>
internal sealed record DynamicQuantizeLinear : IOperator
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        context.ExpectType(0, type => type == ElementType.Float32, "float32");
        context.SetOutput(0, ElementType.UInt8, context.InputShape(0));
        context.SetOutput(1, ElementType.Float32, []);
        context.SetOutput(2, ElementType.UInt8, []);
    }

    public void Evaluate(EvaluationContext context)
    {
        Quantize(context.Input(0).Span<float>(), context.Output(0).Span<byte>(), out float scale, out byte zeroPoint);
        if (context.HasOutput(1)) context.Output(1).Span<float>()[0] = scale;
        if (context.HasOutput(2)) context.Output(2).Span<byte>()[0] = zeroPoint;
    }

    /// <summary>Codes of x over its range, and what they mean.</summary>
    public static void Quantize(ReadOnlySpan<float> x, Span<byte> codes, out float scale, out byte zeroPoint)
    {
        (scale, int zero) = Range(x);
        for (int i = 0; i < codes.Length; i++) codes[i] = (byte)Rounding.ToCode(x[i] / scale, zero, 0, 255);
        zeroPoint = (byte)zero;
    }

    private static CodeScale Range(ReadOnlySpan<float> x)
    {
        float min = 0, max = 0;
        foreach (float value in x)
        {
            min = value < min ? value : min;
            max = value > max ? value : max;
        }
        float scale = max == min ? 1 : (max - min) / 255;
        return new(scale, (int)MathF.Round(Math.Clamp(-min / scale, 0, 255)));
    }
}
