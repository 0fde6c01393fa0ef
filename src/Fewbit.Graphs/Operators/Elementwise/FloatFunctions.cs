using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>Fast float32 functions over runs of elements, each within a few units in the last place; the output may be the input.</summary>
internal static class FloatFunctions
{
    private const int Block = 1024;

    public static void Exp(ReadOnlySpan<float> x, Span<float> y) => Loops.Vectors(new VectorExp(), x, y);

    public static void Log(ReadOnlySpan<float> x, Span<float> y) => TensorPrimitives.Log(x, y);

    public static void Sigmoid(ReadOnlySpan<float> x, Span<float> y) => Loops.Vectors(new VectorSigmoid(), x, y);

    public static void Tanh(ReadOnlySpan<float> x, Span<float> y) => Loops.Vectors(new VectorTanh(), x, y);

    public static void Erf(ReadOnlySpan<float> x, Span<float> y) => Loops.Vectors(new VectorErf(), x, y);

    /// <summary>x · sigmoid(alpha · x).</summary>
    public static void Swish(ReadOnlySpan<float> x, Span<float> y, float alpha)
    {
        Span<float> gate = stackalloc float[Block];
        for (int at = 0; at < y.Length; at += Block)
        {
            int count = Math.Min(Block, y.Length - at);
            ReadOnlySpan<float> part = x.Slice(at, count);
            TensorPrimitives.Multiply(part, alpha, gate[..count]);
            Sigmoid(gate[..count], gate[..count]);
            TensorPrimitives.Multiply(part, gate[..count], y.Slice(at, count));
        }
    }

    /// <summary>x / 2 · (1 + erf(x / √2)).</summary>
    public static void Gelu(ReadOnlySpan<float> x, Span<float> y)
    {
        Span<float> gate = stackalloc float[Block];
        for (int at = 0; at < y.Length; at += Block)
        {
            int count = Math.Min(Block, y.Length - at);
            ReadOnlySpan<float> part = x.Slice(at, count);
            TensorPrimitives.Multiply(part, 0.70710678f, gate[..count]);
            Erf(gate[..count], gate[..count]);
            Gate(part, gate[..count], y.Slice(at, count));
        }
    }

    /// <summary>x / 2 · (1 + tanh(√(2/π) (x + 0.044715 x³))).</summary>
    public static void TanhGelu(ReadOnlySpan<float> x, Span<float> y)
    {
        Span<float> gate = stackalloc float[Block];
        float inner = (float)(TanhGeluFunction.Inner * TanhGeluFunction.Outer), outer = (float)TanhGeluFunction.Outer;
        for (int at = 0; at < y.Length; at += Block)
        {
            int count = Math.Min(Block, y.Length - at);
            ReadOnlySpan<float> part = x.Slice(at, count);
            for (int i = 0; i < count; i++) gate[i] = part[i] * (outer + inner * part[i] * part[i]);
            Tanh(gate[..count], gate[..count]);
            Gate(part, gate[..count], y.Slice(at, count));
        }
    }

    private static void Gate(ReadOnlySpan<float> x, ReadOnlySpan<float> gate, Span<float> y)
    {
        for (int i = 0; i < y.Length; i++) y[i] = 0.5f * x[i] * (1 + gate[i]);
    }
}
