using System.Numerics;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>x · Φ(x), Φ the normal distribution: ONNX Gelu with approximate = none.</summary>
internal readonly record struct GeluFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.CreateTruncating(0.5) * x * (T.One + T.CreateTruncating(ErrorFunction.Erf(double.CreateTruncating(x) / Math.Sqrt(2))));

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => FloatFunctions.Gelu(x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => Slope(x, gradient);

    // Φ(x) + x φ(x)
    private static Value Slope(Value x, Value gradient)
    {
        Value distribution = ((x * x.Scalar(1 / Math.Sqrt(2))).Apply("Erf") + 1f) * 0.5f;
        return gradient * (distribution + x * ((x * x) * -0.5f).Apply("Exp") * x.Scalar(1 / Math.Sqrt(2 * Math.PI)));
    }
}

/// <summary>0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))): ONNX Gelu with approximate = tanh.</summary>
internal readonly record struct TanhGeluFunction : IUnaryFunction
{
    public const double Inner = 0.044715;
    public static readonly double Outer = Math.Sqrt(2 / Math.PI);

    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.CreateTruncating(0.5) * x * (T.One + T.Tanh(T.CreateTruncating(Outer) * (x + T.CreateTruncating(Inner) * x * x * x)));

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => FloatFunctions.TanhGelu(x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => Slope(x, gradient);

    private static Value Slope(Value x, Value gradient)
    {
        Value square = x * x, tanh = ((x + square * x * x.Scalar(Inner)) * x.Scalar(Outer)).Apply("Tanh");
        Value inner = (square * x.Scalar(3 * Inner) + 1f) * x.Scalar(Outer);
        return gradient * ((tanh + 1f) * 0.5f + x * 0.5f * (1f - tanh * tanh) * inner);
    }
}
