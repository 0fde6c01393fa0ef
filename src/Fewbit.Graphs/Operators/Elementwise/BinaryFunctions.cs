using System.Numerics;

namespace Fewbit.Graphs.Operators.Elementwise;

internal readonly struct AddFunction : IDifferentiableBinaryFunction
{
    public static bool IsVectorized => true;

    public static T Apply<T>(T a, T b) where T : INumber<T> => a + b;

    public static Vector<T> Apply<T>(Vector<T> a, Vector<T> b) => a + b;

    public static Dim Apply(Dim a, Dim b) => a + b;

    public static (Value? A, Value? B) Gradient(Value a, Value b, Value output, Value gradient) => (gradient, gradient);
}

internal readonly struct SubtractFunction : IDifferentiableBinaryFunction
{
    public static bool IsVectorized => true;

    public static T Apply<T>(T a, T b) where T : INumber<T> => a - b;

    public static Vector<T> Apply<T>(Vector<T> a, Vector<T> b) => a - b;

    public static Dim Apply(Dim a, Dim b) => a - b;

    public static (Value? A, Value? B) Gradient(Value a, Value b, Value output, Value gradient) => (gradient, -gradient);
}

internal readonly struct MultiplyFunction : IDifferentiableBinaryFunction
{
    public static bool IsVectorized => true;

    public static T Apply<T>(T a, T b) where T : INumber<T> => a * b;

    public static Vector<T> Apply<T>(Vector<T> a, Vector<T> b) => a * b;

    // 0 times an unknown that stands for a negative number is 0 as well.
    public static Dim Apply(Dim a, Dim b) => a * b;

    public static (Value? A, Value? B) Gradient(Value a, Value b, Value output, Value gradient) => (gradient * b, gradient * a);
}

/// <summary>Integers are truncated toward zero; the lowest integer divided by -1 wraps to itself.</summary>
internal readonly struct DivideFunction : IDifferentiableBinaryFunction
{
    public static bool IsVectorized => true;

    public static T Apply<T>(T a, T b) where T : INumber<T>
    {
        if (typeof(T) == typeof(float) || typeof(T) == typeof(double)) return a / b;
        // The processor traps on this one quotient.
        return b == -T.One && T.IsNegative(b) ? unchecked(T.Zero - a) : a / b;
    }

    public static Vector<T> Apply<T>(Vector<T> a, Vector<T> b) => a / b;

    public static Dim Apply(Dim a, Dim b) => a.IsKnown && b.IsKnown && b.Length > 0 ? a.Length / b.Length : a / b;

    public static (Value? A, Value? B) Gradient(Value a, Value b, Value output, Value gradient) => (gradient / b, -(gradient * output / b));
}

/// <summary>The smaller number; NaN where either is NaN.</summary>
internal readonly struct MinFunction : IBinaryFunction
{
    public static bool IsVectorized => true;

    public static T Apply<T>(T a, T b) where T : INumber<T> => T.Min(a, b);

    public static Vector<T> Apply<T>(Vector<T> a, Vector<T> b) => Vector.Min(a, b);

    public static Dim Apply(Dim a, Dim b) => a.IsKnown && b.IsKnown ? Math.Min(a.Length, b.Length) : a == b && a.Symbol is not null ? a : Dim.Unknown;
}

/// <summary>The larger number; NaN where either is NaN.</summary>
internal readonly struct MaxFunction : IBinaryFunction
{
    public static bool IsVectorized => true;

    public static T Apply<T>(T a, T b) where T : INumber<T> => T.Max(a, b);

    public static Vector<T> Apply<T>(Vector<T> a, Vector<T> b) => Vector.Max(a, b);

    public static Dim Apply(Dim a, Dim b) => a.IsKnown && b.IsKnown ? Math.Max(a.Length, b.Length) : a == b && a.Symbol is not null ? a : Dim.Unknown;
}

/// <summary>ONNX PRelu: a where it is not negative, else slope times a.</summary>
internal readonly struct PReluFunction : IDifferentiableBinaryFunction
{
    public static bool IsVectorized => true;

    public static T Apply<T>(T a, T b) where T : INumber<T> => a < T.Zero ? a * b : a;

    public static Vector<T> Apply<T>(Vector<T> a, Vector<T> b) => Vector.ConditionalSelect(Vector.LessThan(a, Vector<T>.Zero), a * b, a);

    public static (Value? A, Value? B) Gradient(Value a, Value b, Value output, Value gradient)
    {
        Value isNegative = a.Apply("Less", a.Scalar(0));
        return (isNegative.Apply("Where", gradient * b, gradient), isNegative.Apply("Where", gradient * a, gradient.Scalar(0)));
    }
}

/// <summary>ONNX Mod with fmod = 1: the remainder has the sign of the dividend.</summary>
internal readonly struct RemainderFunction : IDifferentiableBinaryFunction
{
    public static bool IsVectorized => false;

    public static T Apply<T>(T a, T b) where T : INumber<T> =>
        typeof(T) != typeof(float) && typeof(T) != typeof(double) && T.IsNegative(b) && b == -T.One ? T.Zero : a % b;

    public static Vector<T> Apply<T>(Vector<T> a, Vector<T> b) => throw new NotSupportedException();

    // a - trunc(a / b) * b
    public static (Value? A, Value? B) Gradient(Value a, Value b, Value output, Value gradient) => (gradient, -(gradient * ((a - output) / b)));
}

/// <summary>ONNX Mod with fmod = 0: the remainder has the sign of the divisor.</summary>
internal readonly struct ModuloFunction : IDifferentiableBinaryFunction
{
    public static bool IsVectorized => false;

    public static T Apply<T>(T a, T b) where T : INumber<T>
    {
        T remainder = RemainderFunction.Apply(a, b);
        return !T.IsZero(remainder) && T.IsNegative(remainder) != T.IsNegative(b) ? remainder + b : remainder;
    }

    public static Vector<T> Apply<T>(Vector<T> a, Vector<T> b) => throw new NotSupportedException();

    public static Dim Apply(Dim a, Dim b) => a.IsKnown && b.IsKnown && b.Length > 0 ? a.Length % b.Length : Dim.Unknown;

    public static (Value? A, Value? B) Gradient(Value a, Value b, Value output, Value gradient) => (gradient, -(gradient * ((a - output) / b)));
}
