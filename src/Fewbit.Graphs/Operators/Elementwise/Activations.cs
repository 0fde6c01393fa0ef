using System.Numerics;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>x where it is not negative, else alpha · (e^x - 1).</summary>
internal readonly record struct EluFunction(float Alpha) : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => x < T.Zero ? T.CreateTruncating(Alpha) * T.ExpM1(x) : x;

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Wide(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => x.Apply("Less", x.Scalar(0)).Apply("Where", gradient * (y + Alpha), gradient);
}

/// <summary>gamma · (x where it is not negative, else alpha · (e^x - 1)).</summary>
internal readonly record struct SeluFunction(float Alpha, float Gamma) : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.CreateTruncating(Gamma) * (x < T.Zero ? T.CreateTruncating(Alpha) * T.ExpM1(x) : x);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Wide(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => x.Apply("Less", x.Scalar(0)).Apply("Where", gradient * (y + Alpha * Gamma), gradient * Gamma);
}

/// <summary>x where it is not negative, else alpha · (e^(x / alpha) - 1).</summary>
internal readonly record struct CeluFunction(float Alpha) : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => x < T.Zero ? T.CreateTruncating(Alpha) * T.ExpM1(x / T.CreateTruncating(Alpha)) : x;

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Wide(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => x.Apply("Less", x.Scalar(0)).Apply("Where", gradient * (y * (1 / Alpha) + 1f), gradient);
}

/// <summary>ln(1 + e^x), without overflow.</summary>
internal readonly record struct SoftplusFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.Max(x, T.Zero) + LogOnePlus(T.Exp(-T.Abs(x)));

    /// <summary>log(1 + e), exact to a few units in the last place; LogP1 of .NET loses what 1 + e rounds off.</summary>
    private static T LogOnePlus<T>(T e) where T : IBinaryFloatingPointIeee754<T>
    {
        T sum = T.One + e;
        return sum == T.One ? e : T.Log(sum) * (e / (sum - T.One));
    }

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Wide(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => gradient * x.Apply("Sigmoid");
}

/// <summary>x / (1 + |x|).</summary>
internal readonly record struct SoftsignFunction : IUnaryFunction, IVectorFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => x / (T.One + T.Abs(x));

    public Vector<float> Apply(Vector<float> x) => x / (Vector<float>.One + Vector.Abs(x));

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Vectors(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => gradient / ((x.Apply("Abs") + 1f) * (x.Apply("Abs") + 1f));
}

/// <summary>x · tanh(ln(1 + e^x)).</summary>
internal readonly record struct MishFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => x * T.Tanh(new SoftplusFunction().Apply(x));

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Wide(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => MishGradient(x, gradient);

    private static Value MishGradient(Value x, Value gradient)
    {
        Value tanh = x.Apply("Softplus").Apply("Tanh");
        return gradient * (tanh + x * (1f - tanh * tanh) * x.Apply("Sigmoid"));
    }
}

/// <summary>x · sigmoid(alpha · x).</summary>
internal readonly record struct SwishFunction(float Alpha) : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => x * new SigmoidFunction().Apply(x * T.CreateTruncating(Alpha));

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => FloatFunctions.Swish(x, y, Alpha);

    public Value? Gradient(Value x, Value y, Value gradient) => SwishGradient(x, y, gradient);

    private Value SwishGradient(Value x, Value y, Value gradient)
    {
        Value sigmoid = (x * Alpha).Apply("Sigmoid");
        return gradient * (sigmoid + y * (1f - sigmoid) * Alpha);
    }
}

/// <summary>1 / (1 + e^-x).</summary>
internal readonly record struct SigmoidFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => x < T.Zero ? T.Exp(x) / (T.One + T.Exp(x)) : T.One / (T.One + T.Exp(-x));

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => FloatFunctions.Sigmoid(x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => y.Apply(OperatorTable.FewbitDomain, "SigmoidGradient", null, gradient);
}

internal readonly record struct TanhFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.Tanh(x);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => FloatFunctions.Tanh(x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => y.Apply(OperatorTable.FewbitDomain, "TanhGradient", null, gradient);
}

/// <summary>2/√π times the integral of e^(-t²) from 0 to x.</summary>
internal readonly record struct ErfFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.CreateTruncating(ErrorFunction.Erf(double.CreateTruncating(x)));

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => FloatFunctions.Erf(x, y);

    public bool ApplyInteger<T>(ReadOnlySpan<T> x, Span<T> y) where T : unmanaged, INumber<T> =>
        Loops.Integers(x, y, value => T.CreateTruncating(ErrorFunction.Erf(double.CreateTruncating(value))));

    public Value? Gradient(Value x, Value y, Value gradient) => gradient * (-(x * x)).Apply("Exp") * (float)(2 / Math.Sqrt(Math.PI));
}
