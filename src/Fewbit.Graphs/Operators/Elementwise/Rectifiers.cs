using System.Numerics;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>max(x, 0); NaN stays.</summary>
internal readonly record struct ReluFunction : IUnaryFunction, IVectorFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => x < T.Zero ? T.Zero : x;

    public Vector<float> Apply(Vector<float> x) => Vector.ConditionalSelect(Vector.LessThan(x, Vector<float>.Zero), Vector<float>.Zero, x);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Vectors(this, x, y);

    public bool ApplyInteger<T>(ReadOnlySpan<T> x, Span<T> y) where T : unmanaged, INumber<T> => Loops.Integers(x, y, static x => T.Max(x, T.Zero));

    public Value? Gradient(Value x, Value y, Value gradient) => y.Apply(OperatorTable.FewbitDomain, "ReluGradient", null, gradient);
}

/// <summary>x where it is not negative, else alpha · x.</summary>
internal readonly record struct LeakyReluFunction(float Alpha) : IUnaryFunction, IVectorFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => x < T.Zero ? x * T.CreateTruncating(Alpha) : x;

    public Vector<float> Apply(Vector<float> x) => Vector.ConditionalSelect(Vector.LessThan(x, Vector<float>.Zero), x * Alpha, x);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Vectors(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => x.Apply("Less", x.Scalar(0)).Apply("Where", gradient * Alpha, gradient);
}

/// <summary>x above alpha, else 0.</summary>
internal readonly record struct ThresholdedReluFunction(float Alpha) : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => x > T.CreateTruncating(Alpha) ? x : T.IsNaN(x) ? x : T.Zero;

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Scalar(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => x.Apply("Greater", x.Scalar(Alpha)).Apply("Where", gradient, gradient.Scalar(0));
}

/// <summary>Moved towards 0 by bias where |x| is above the threshold, else 0.</summary>
internal readonly record struct ShrinkFunction(float Bias, float Threshold) : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> =>
        x < -T.CreateTruncating(Threshold) ? x + T.CreateTruncating(Bias) : x > T.CreateTruncating(Threshold) ? x - T.CreateTruncating(Bias) : T.Zero;

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Scalar(this, x, y);

    public bool ApplyInteger<T>(ReadOnlySpan<T> x, Span<T> y) where T : unmanaged, INumber<T>
    {
        for (int i = 0; i < y.Length; i++) y[i] = T.CreateTruncating(Apply(double.CreateChecked(x[i])));
        return true;
    }

    public Value? Gradient(Value x, Value y, Value gradient) => x.Apply("Abs").Apply("Greater", x.Scalar(Threshold)).Apply("Where", gradient, gradient.Scalar(0));
}

/// <summary>min(max(alpha · x + beta, 0), 1).</summary>
internal readonly record struct HardSigmoidFunction(float Alpha, float Beta) : IUnaryFunction, IVectorFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.Min(T.Max(x * T.CreateTruncating(Alpha) + T.CreateTruncating(Beta), T.Zero), T.One);

    public Vector<float> Apply(Vector<float> x) => Vector.Min(Vector.Max(x * Alpha + new Vector<float>(Beta), Vector<float>.Zero), Vector<float>.One);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Vectors(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => gradient * Alpha * (x * Alpha + Beta).Apply(OperatorTable.FewbitDomain, "IsInsideUnit", null);
}

/// <summary>x · min(max(x / 6 + 0.5, 0), 1).</summary>
internal readonly record struct HardSwishFunction : IUnaryFunction, IVectorFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => x * T.Min(T.Max(x / T.CreateTruncating(6) + T.CreateTruncating(0.5), T.Zero), T.One);

    public Vector<float> Apply(Vector<float> x) => x * Vector.Min(Vector.Max(x * (1f / 6) + new Vector<float>(0.5f), Vector<float>.Zero), Vector<float>.One);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Vectors(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => 
        gradient * (x.Apply("HardSigmoid", new Attributes { { "alpha", 1f / 6 }, { "beta", 0.5f } }) + x * (1f / 6) * (x * (1f / 6) + 0.5f).Apply(OperatorTable.FewbitDomain, "IsInsideUnit", null));
}

/// <summary>1 strictly between 0 and 1, else 0: the derivative of clipping to that range.</summary>
internal readonly record struct IsInsideUnitFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => x > T.Zero && x < T.One ? T.One : T.Zero;

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Scalar(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => null;
}
