using System.Numerics;

namespace Fewbit.Graphs.Operators.Elementwise;

internal readonly record struct SinFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.Sin(x);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Scalar(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => gradient * x.Apply("Cos");
}

internal readonly record struct CosFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.Cos(x);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Scalar(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => -(gradient * x.Apply("Sin"));
}

internal readonly record struct TanFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.Tan(x);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Scalar(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => gradient * (y * y + 1f);
}

internal readonly record struct AsinFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.Asin(x);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Scalar(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => gradient / (1f - x * x).Apply("Sqrt");
}

internal readonly record struct AcosFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.Acos(x);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Scalar(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => -(gradient / (1f - x * x).Apply("Sqrt"));
}

internal readonly record struct AtanFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.Atan(x);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Scalar(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => gradient / (x * x + 1f);
}

internal readonly record struct SinhFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.Sinh(x);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Scalar(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => gradient * x.Apply("Cosh");
}

internal readonly record struct CoshFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.Cosh(x);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Scalar(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => gradient * x.Apply("Sinh");
}

internal readonly record struct AsinhFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.Asinh(x);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Scalar(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => gradient / (x * x + 1f).Apply("Sqrt");
}

internal readonly record struct AcoshFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.Acosh(x);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Scalar(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => gradient / (x * x - 1f).Apply("Sqrt");
}

internal readonly record struct AtanhFunction : IUnaryFunction
{
    public T Apply<T>(T x) where T : IBinaryFloatingPointIeee754<T> => T.Atanh(x);

    public void Apply(ReadOnlySpan<float> x, Span<float> y) => Loops.Scalar(this, x, y);

    public Value? Gradient(Value x, Value y, Value gradient) => gradient / (1f - x * x);
}
