using System.Numerics;
using Fewbit.Tensors.Kernels;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Fewbit.Graphs.Operators.Elementwise;

internal readonly record struct ExpFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.Exp(x);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => FloatFunctions.Exp(x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => gradient * y;
}

internal readonly record struct LogFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.Log(x);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => FloatFunctions.Log(x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => gradient / x;
}

internal readonly record struct SqrtFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.Sqrt(x);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => TensorPrimitives.Sqrt(x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => gradient * 0.5f / y;
}

internal readonly record struct ReciprocalFunction : IUnaryFunction, IVectorFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.One / x;

    public Vector<float> Apply(Vector<float> x) => Vector<float>.One / x;

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Vectors(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => -(gradient * y * y);
}

/// <summary>|x|; the lowest integer stays what it is.</summary>
internal readonly record struct AbsFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.Abs(x);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => TensorPrimitives.Abs(x, y);

    public bool ApplyInteger<T>(ReadOnlySpan<T> x, Span<T> y) where T : unmanaged, INumber<T> => Loops.Integers(x, y, static x => T.IsNegative(x) ? T.Zero - x : x);

    public Value? Gradient(Value x, Value y, Value gradient) => gradient * x.Apply("Sign");
}

internal readonly record struct NegateFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => -x;

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => TensorPrimitives.Negate(x, y);

    public bool ApplyInteger<T>(ReadOnlySpan<T> x, Span<T> y) where T : unmanaged, INumber<T> => Loops.Integers(x, y, static x => T.Zero - x);

    public Value? Gradient(Value x, Value y, Value gradient) => -gradient;
}

/// <summary>-1, 0 or 1.</summary>
internal readonly record struct SignFunction : IUnaryFunction, IVectorFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.IsNaN(x) ? x : x > T.Zero ? T.One : x < T.Zero ? -T.One : T.Zero;

    public Vector<float> Apply(Vector<float> x)
    {
        Vector<float> one = Vector.CopySign(Vector<float>.One, x), isNonZero = Vector.As<int, float>(Vector.GreaterThan(Vector.Abs(x), Vector<float>.Zero));
        return Vector.ConditionalSelect(Vector.Equals(x, x), one & isNonZero, x);
    }

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Vectors(this, x, y);

    public bool ApplyInteger<T>(ReadOnlySpan<T> x, Span<T> y) where T : unmanaged, INumber<T> => Loops.Integers(x, y, static x => x > T.Zero ? T.One : x < T.Zero ? T.Zero - T.One : T.Zero);

    public Value? Gradient(Value x, Value y, Value gradient) => null;
}

internal readonly record struct FloorFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.Floor(x);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => TensorPrimitives.Floor(x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => null;
}

internal readonly record struct CeilingFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.Ceiling(x);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => TensorPrimitives.Ceiling(x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => null;
}

/// <summary>The nearest integer, the even one half-way.</summary>
internal readonly record struct RoundFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.Round(x, MidpointRounding.ToEven);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => TensorPrimitives.Round(x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => null;
}
