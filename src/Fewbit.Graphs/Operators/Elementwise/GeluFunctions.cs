using System.Numerics;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>x · Φ(x), Φ the normal distribution: ONNX Gelu with approximate = none.</summary>
internal readonly record struct GeluFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.CreateTruncating(0.5) * x * (T.One + T.CreateTruncating(ErrorFunction.Erf(double.CreateTruncating(x) / Math.Sqrt(2))));

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => FloatFunctions.Gelu(x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => x.Apply(OperatorTable.FewbitDomain, "GeluGradient", null, gradient);
}

/// <summary>0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))): ONNX Gelu with approximate = tanh.</summary>
internal readonly record struct TanhGeluFunction : IUnaryFunction
{
    public const double Inner = 0.044715;
    public static readonly double Outer = Math.Sqrt(2 / Math.PI);

    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.CreateTruncating(0.5) * x * (T.One + T.Tanh(T.CreateTruncating(Outer) * (x + T.CreateTruncating(Inner) * x * x * x)));

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => FloatFunctions.TanhGelu(x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => x.Apply(OperatorTable.FewbitDomain, "TanhGeluGradient", null, gradient);
}
