using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>
/// com.microsoft QLinearSoftmax(x, sx, zx, sy, zy): exponentials from a table of 256 floats, scaled so that their sum fits, added one by one in float32;
/// code = round(e * floor(1 / sy) / sum) + zy.
/// </summary>
/// <param name="Axis">First dimension that is normalized.</param>
/// <param name="Opset">Below 13 all dimensions from the axis on are normalized together.</param>
internal sealed record QLinearSoftmax(long Axis, long Opset) : IOperator
{
    public static QLinearSoftmax Parse(Node node)
    {
        long opset = node.Int("opset");
        return new(node.Int("axis", opset < 13 ? 1 : -1), opset);
    }

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(4, 5);
        context.SetOutput(0, context.InputType(0), context.InputShape(0));
    }

    public void Evaluate(EvaluationContext context)
    {
        (Tensor x, Tensor y) = (context.Input(0), context.Output(0));
        context.Node.Expect(x.Type.Is8Bit(), $"takes {x}, expected uint8 or int8");
        int axis = context.Node.Axis(Axis, x.Rank);
        int length = (int)(Opset < 13 ? x.Shape.CountOf(axis, x.Rank) : x.Shape[axis]), step = (int)(Opset < 13 ? 1 : x.Shape.CountOf(axis + 1, x.Rank));
        if (x.ElementCount == 0) return;
        float[] exponentials = Exponentials(context.CodeScale(1, 2).Scale, length);
        CodeScale result = context.CodeScale(3, 4);
        int low = x.Type == ElementType.Int8 ? -128 : 0;
        for (int outer = 0; outer * length * step < x.ElementCount; outer++)
        {
            for (int inner = 0; inner < step; inner++) Normalize(x.Bytes, y.Bytes, outer * length * step + inner, length, step, low, exponentials, result);
        }
    }

    /// <summary>exp((i - 255 + shift) * scale) for the distance i - 255 to the largest code; the shift uses the float's range up to the length's reserve.</summary>
    private static float[] Exponentials(float scale, int length)
    {
        double shift = Math.Max(0, Math.Log(float.MaxValue / length) - 5) / scale;
        var table = new float[256];
        for (int i = 0; i < table.Length; i++) table[i] = (float)Math.Exp((i - 255 + shift) * scale);
        return table;
    }

    private static void Normalize(ReadOnlySpan<byte> x, Span<byte> y, int start, int length, int step, int low, float[] exponentials, CodeScale result)
    {
        int flip = low == 0 ? 0 : 0x80, largest = 0;
        for (int i = 0; i < length; i++) largest = Math.Max(largest, x[start + i * step] ^ flip);
        float sum = 0;
        for (int i = 0; i < length; i++) sum += exponentials[(x[start + i * step] ^ flip) + 255 - largest];
        if (sum == 0) return;
        float scale = MathF.Floor(1 / result.Scale);
        for (int i = 0; i < length; i++)
        {
            float share = exponentials[(x[start + i * step] ^ flip) + 255 - largest] * scale / sum;
            int code = (int)MathF.Round(share) + result.ZeroPoint;
            y[start + i * step] = (byte)(code > 255 ? 255 : code);
        }
    }
}
