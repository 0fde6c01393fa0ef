using Fewbit.Tensors.Kernels;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>Fast float32 functions over runs of elements, each within a few units in the last place; the output may be the input.</summary>
internal static class FloatFunctions
{
    public static void Exp(ReadOnlySpan<float> x, Span<float> y) => Loops.Vectors(new VectorExp(), x, y);

    public static void Log(ReadOnlySpan<float> x, Span<float> y) => TensorPrimitives.Log(x, y);

    public static void Sigmoid(ReadOnlySpan<float> x, Span<float> y) => Loops.Vectors(new VectorSigmoid(), x, y);

    public static void Tanh(ReadOnlySpan<float> x, Span<float> y) => Loops.Vectors(new VectorTanh(), x, y);

    public static void Erf(ReadOnlySpan<float> x, Span<float> y) => Loops.Vectors(new VectorErf(), x, y);

    /// <summary>x · sigmoid(alpha · x).</summary>
    public static void Swish(ReadOnlySpan<float> x, Span<float> y, float alpha) => Loops.Vectors(new VectorSwish(alpha), x, y);

    /// <summary>x / 2 · (1 + erf(x / √2)).</summary>
    public static void Gelu(ReadOnlySpan<float> x, Span<float> y) => Loops.Vectors(new VectorGelu(), x, y);

    /// <summary>x / 2 · (1 + tanh(√(2/π) (x + 0.044715 x³))).</summary>
    public static void TanhGelu(ReadOnlySpan<float> x, Span<float> y) => Loops.Vectors(new VectorTanhGelu(), x, y);
}
