using System.Numerics;
using System.Runtime.CompilerServices;

namespace Fewbit.Tensors.Kernels;

/// <summary>A function of whole vectors.</summary>
internal interface IVectorFunction
{
    Vector<float> Apply(Vector<float> x);
}

/// <summary>e^x: 2^n · e^r with |r| at most ln 2 / 2, e^r by a polynomial of degree 6; within 2 units in the last place, 0 below -103.98.</summary>
/// <remarks>The steps and coefficients are those of ONNX Runtime (MlasComputeExp): results are equal to the last bit, so that quantizers behind give equal codes.</remarks>
internal readonly struct VectorExp : IVectorFunction
{
    private const float Log2E = 1.44269504f;
    private const float Ln2High = 0.693145752f; // few bits, so that n times it is exact
    private const float Ln2Low = 1.42860677e-6f;
    private const float RoundingBias = 12582912; // 1.5 · 2^23: a sum with it has no fraction

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x)
    {
        Vector<float> limited = Polynomials.Limit(x, -103.972084f, 89);
        Vector<float> n = Polynomials.Add(limited, Log2E, RoundingBias) - new Vector<float>(RoundingBias);
        Vector<float> r = Polynomials.Add(n, -Ln2Low, Polynomials.Add(n, -Ln2High, limited));
        Vector<float> p = Polynomials.Add(r, 0.00137805939f, 0.00837312452f);
        p = Polynomials.Add(r, p, 0.0416695364f);
        p = Polynomials.Add(r, p, 0.16666472f);
        p = Polynomials.Add(r, p, 0.499999851f);
        p = Polynomials.Add(r, p, 1);
        p = Polynomials.Add(r, p, 1);
        // In two steps, since 2^n alone may lie outside of the normal numbers.
        Vector<int> whole = Vector.ConvertToInt32(n), half = whole >> 1;
        Vector<float> result = p * Power(half) * Power(whole - half);
        return Vector.ConditionalSelect(Vector.Equals(x, x), result, x);
    }

    private static Vector<float> Power(Vector<int> exponent) => Vector.As<int, float>((exponent + new Vector<int>(127)) << 23);
}

/// <summary>1 / (1 + e^-x).</summary>
internal readonly struct VectorSigmoid : IVectorFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x) => Vector<float>.One / (Vector<float>.One + new VectorExp().Apply(-x));
}

/// <summary>tanh: 1 - 2 / (e^2x + 1), and a polynomial below 0.625, where that would cancel.</summary>
/// <remarks>The polynomial is that of the Cephes library (Moshier).</remarks>
internal readonly struct VectorTanh : IVectorFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x)
    {
        Vector<float> magnitude = Vector.Abs(x), square = x * x;
        Vector<float> large = Vector<float>.One - new Vector<float>(2) / (new VectorExp().Apply(magnitude + magnitude) + Vector<float>.One);
        Vector<float> p = Polynomials.Add(square, -5.70498872745e-3f, 2.06390887954e-2f);
        p = Polynomials.Add(square, p, -5.37397155531e-2f);
        p = Polynomials.Add(square, p, 1.33314422036e-1f);
        p = Polynomials.Add(square, p, -3.33332819422e-1f);
        Vector<float> small = Vector.FusedMultiplyAdd(p * square, x, x);
        return Vector.ConditionalSelect(Vector.LessThan(magnitude, new Vector<float>(0.625f)), small, Vector.CopySign(large, x));
    }
}

/// <summary>erf as x times a quotient of polynomials of x²: relative error 2.4e-8 before rounding; beyond ±3.8325 the result rounds to ±1.</summary>
/// <remarks>The coefficients are the minimax fit that OpenXLA publishes for float32.</remarks>
internal readonly struct VectorErf : IVectorFunction
{
    private const float End = 3.832506856900711f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x)
    {
        Vector<float> limited = Polynomials.Limit(x, -End, End), square = limited * limited;
        Vector<float> p = Polynomials.Add(square, 0.00022905065861350646f, 0.0034082910107109506f);
        p = Polynomials.Add(square, p, 0.050955695062380861f);
        p = Polynomials.Add(square, p, 0.18520832239976145f);
        p = Polynomials.Add(square, p, 1.128379143519084f);
        Vector<float> q = Polynomials.Add(square, -1.1791602954361697e-7f, 0.000023547966471313185f);
        q = Polynomials.Add(square, q, 0.0010179625278914885f);
        q = Polynomials.Add(square, q, 0.014070470171167667f);
        q = Polynomials.Add(square, q, 0.11098505178285362f);
        q = Polynomials.Add(square, q, 0.49746925110067538f);
        q = Polynomials.Add(square, q, 1);
        return limited * p / q;
    }
}

/// <summary>x / 2 · (1 + erf(x / √2)).</summary>
internal readonly struct VectorGelu : IVectorFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x)
    {
        Vector<float> half = x * new Vector<float>(0.5f);
        return Vector.FusedMultiplyAdd(half, new VectorErf().Apply(x * new Vector<float>(0.70710678f)), half);
    }
}

/// <summary>x / 2 · (1 + tanh(√(2/π) (x + 0.044715 x³))).</summary>
internal readonly struct VectorTanhGelu : IVectorFunction
{
    private const float Outer = 0.797884583f, Inner = 0.044715f * Outer;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x)
    {
        Vector<float> half = x * new Vector<float>(0.5f);
        return Vector.FusedMultiplyAdd(half, new VectorTanh().Apply(x * Polynomials.Add(x * x, Inner, Outer)), half);
    }
}

/// <summary>x · sigmoid(alpha · x).</summary>
internal readonly struct VectorSwish(float alpha) : IVectorFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Apply(Vector<float> x) => x * new VectorSigmoid().Apply(x * new Vector<float>(alpha));
}

/// <summary>Steps of Horner's rule, and the bounds before it.</summary>
internal static class Polynomials
{
    /// <summary>x between two bounds. NaN passes: the machine's own minimum and maximum give the second operand then, or NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Limit(Vector<float> x, float low, float high) => Vector.MinNative(new Vector<float>(high), Vector.MaxNative(new Vector<float>(low), x));

    /// <summary>x · a + b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Add(Vector<float> x, float a, float b) => Vector.FusedMultiplyAdd(x, new Vector<float>(a), new Vector<float>(b));

    /// <summary>x · a + b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Add(Vector<float> x, float a, Vector<float> b) => Vector.FusedMultiplyAdd(x, new Vector<float>(a), b);

    /// <summary>x · a + b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Add(Vector<float> x, Vector<float> a, float b) => Vector.FusedMultiplyAdd(x, a, new Vector<float>(b));

    /// <summary>x · a + b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Add(Vector<float> x, Vector<float> a, Vector<float> b) => Vector.FusedMultiplyAdd(x, a, b);
}
