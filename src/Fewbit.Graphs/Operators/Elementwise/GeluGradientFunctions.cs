using System.Numerics;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>Gradient of Gelu: b · (Φ(a) + a φ(a)), a its input, Φ and φ the normal distribution and its density.</summary>
internal readonly struct GeluGradientFunction : IDifferentiableBinaryFunction
{
    public static bool IsVectorized => true;

    public static T Apply<T>(T a, T b) where T : INumber<T>
    {
        double x = double.CreateChecked(a), distribution = 0.5 * (1 + ErrorFunction.Erf(x / Math.Sqrt(2))), density = Math.Exp(-0.5 * x * x) / Math.Sqrt(2 * Math.PI);
        return b * T.CreateTruncating(distribution + x * density);
    }

    public static Vector<T> Apply<T>(Vector<T> a, Vector<T> b)
    {
        if (typeof(T) != typeof(float)) return ScalarVectors.Each<T, GeluGradientFunction>(a, b);
        Vector<float> x = Vector.As<T, float>(a), half = new(0.5f);
        Vector<float> distribution = Vector.FusedMultiplyAdd(half, new VectorErf().Apply(x * new Vector<float>(0.70710678f)), half);
        Vector<float> density = new VectorExp().Apply(x * x * new Vector<float>(-0.5f)) * new Vector<float>(0.39894228f);
        return Vector.As<float, T>(Vector.As<T, float>(b) * Vector.FusedMultiplyAdd(x, density, distribution));
    }

    public static unsafe bool ApplyWide(float* a, float* b, float* output, long count)
    {
        Wide.Each(new WideGeluSlope(), a, b, output, count);
        return true;
    }

    public static (Value? A, Value? B) Gradient(Value a, Value b, Value output, Value gradient) =>
        (gradient * b * (2f - a * a) * ((a * a) * -0.5f).Apply("Exp") * a.Scalar(1 / Math.Sqrt(2 * Math.PI)), a.Apply(OperatorTable.FewbitDomain, "GeluGradient", null, gradient));
}

/// <summary>Gradient of Gelu with tanh: b · (s + a s (1 - s) u'), s = sigmoid(u), u = 2 √(2/π) (a + 0.044715 a³), a its input.</summary>
internal readonly struct TanhGeluGradientFunction : IDifferentiableBinaryFunction
{
    private static readonly double Outer = 2 * TanhGeluFunction.Outer;

    public static bool IsVectorized => true;

    public static T Apply<T>(T a, T b) where T : INumber<T>
    {
        double x = double.CreateChecked(a), s = 1 / (1 + Math.Exp(-Outer * (x + TanhGeluFunction.Inner * x * x * x)));
        return b * T.CreateTruncating(s + x * s * (1 - s) * Outer * (1 + 3 * TanhGeluFunction.Inner * x * x));
    }

    public static Vector<T> Apply<T>(Vector<T> a, Vector<T> b)
    {
        if (typeof(T) != typeof(float)) return ScalarVectors.Each<T, TanhGeluGradientFunction>(a, b);
        Vector<float> x = Vector.As<T, float>(a), square = x * x, one = Vector<float>.One;
        Vector<float> outer = new((float)Outer), inner = new((float)(Outer * TanhGeluFunction.Inner)), slope = Vector.FusedMultiplyAdd(square, inner * 3, outer);
        Vector<float> s = new VectorSigmoid().Apply(x * Vector.FusedMultiplyAdd(square, inner, outer));
        return Vector.As<float, T>(Vector.As<T, float>(b) * Vector.FusedMultiplyAdd(x * s * (one - s), slope, s));
    }

    public static (Value? A, Value? B) Gradient(Value a, Value b, Value output, Value gradient)
    {
        Value square = a * a, u = (a + square * a * a.Scalar(TanhGeluFunction.Inner)) * a.Scalar(Outer), s = u.Apply("Sigmoid"), gate = s * (1f - s);
        Value slope = (square * a.Scalar(3 * TanhGeluFunction.Inner) + 1f) * a.Scalar(Outer), bend = a * a.Scalar(6 * TanhGeluFunction.Inner * Outer);
        Value second = gate * (slope * 2f + a * bend + a * (1f - s * 2f) * slope * slope);
        return (gradient * b * second, a.Apply(OperatorTable.FewbitDomain, "TanhGeluGradient", null, gradient));
    }
}

/// <summary>Vectors of float64, whose functions are computed element by element.</summary>
internal static class ScalarVectors
{
    public static Vector<T> Each<T, TFunction>(Vector<T> a, Vector<T> b) where TFunction : struct, IBinaryFunction
    {
        Span<double> results = stackalloc double[Vector<double>.Count];
        (Vector<double> x, Vector<double> y) = (Vector.As<T, double>(a), Vector.As<T, double>(b));
        for (int i = 0; i < results.Length; i++) results[i] = TFunction.Apply(x[i], y[i]);
        return Vector.As<double, T>(new(results));
    }
}
