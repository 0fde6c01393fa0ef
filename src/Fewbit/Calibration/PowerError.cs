using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Fewbit.Calibration;

/// <summary>Σ |x - quantized x| to the power 2.4, the score of both range searches.</summary>
/// <remarks>The power was found best in Nahshan et al., "Loss Aware Post-Training Quantization", 2019, arXiv:1911.07190.</remarks>
internal static unsafe class PowerError
{
    /// <summary>The power.</summary>
    public const double Power = 2.4;

    /// <summary>Elements that a vector holds: sums take whole ones.</summary>
    public const int Width = 16;

    // Sums of this many elements stay in float, lane by lane; they are added up in double.
    private const int FloatElements = 1024;
    // 1.0 / √2 as bits: mantissas are taken from [1/√2, √2).
    private const int RootHalf = 0x3F3504F3;

    /// <summary>One element, by the formula.</summary>
    public static double Reference(float x, float scale, float low, float high)
    {
        double ratio = (double)x / scale;
        return Math.Pow(Math.Abs(ratio - Math.Clamp(Math.Round(ratio), low, high)) * scale, Power);
    }

    /// <summary>The sum over finite elements. Zeros add nothing, so they serve as padding.</summary>
    /// <param name="x">A multiple of <see cref="Width"/> elements.</param>
    /// <param name="count">Their number.</param>
    /// <param name="scale">Width of a code.</param>
    /// <param name="low">Lowest code minus the zero point.</param>
    /// <param name="high">Highest code minus the zero point.</param>
    public static double Sum(float* x, int count, float scale, float low, float high)
    {
        double sum = 0;
        for (int start = 0; start < count; start += FloatElements) sum += Block(x + start, Math.Min(FloatElements, count - start), 1 / scale, low, high);
        return sum * Math.Pow(scale, Power);
    }

    /// <summary>The same sum for numbers that are rounded already.</summary>
    /// <param name="x">A multiple of <see cref="Width"/> elements.</param>
    /// <param name="rounded">What they were rounded to.</param>
    /// <param name="count">Their number.</param>
    /// <param name="scale">The scale: errors are raised to the power in units of it, where they stay normal numbers.</param>
    public static double SumOfRounded(float* x, float* rounded, int count, float scale)
    {
        double sum = 0;
        for (int start = 0; start < count; start += FloatElements) sum += RoundedBlock(x + start, rounded + start, Math.Min(FloatElements, count - start), 1 / scale);
        return sum * Math.Pow(scale, Power);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double RoundedBlock(float* x, float* rounded, int count, float inverse)
    {
        Vector512<float> sums = Vector512<float>.Zero;
        for (int i = 0; i < count; i += Width)
        {
            Vector512<float> difference = (Vector512.Load(x + i) - Vector512.Load(rounded + i)) * inverse;
            sums += Powered(difference * difference);
        }
        (Vector256<double> a, Vector256<double> b) = Vector256.Widen(sums.GetLower() + sums.GetUpper());
        return Vector256.Sum(a + b);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Block(float* x, int count, float inverse, float low, float high)
    {
        Vector512<float> sums = Vector512<float>.Zero, lows = Vector512.Create(low), highs = Vector512.Create(high), inverses = Vector512.Create(inverse);
        for (int i = 0; i < count; i += Width)
        {
            Vector512<float> ratio = Vector512.Load(x + i) * inverses;
            Vector512<float> difference = ratio - Vector512.Min(highs, Vector512.Max(lows, Vector512.Round(ratio)));
            sums += Powered(difference * difference);
        }
        (Vector256<double> a, Vector256<double> b) = Vector256.Widen(sums.GetLower() + sums.GetUpper());
        return Vector256.Sum(a + b);
    }

    /// <summary>s to the power 1.2 = s * 2^(0.2 log2 s), within 3e-7 of it. Polynomials through the nodes of Chebyshev. 0 gives 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Powered(Vector512<float> s)
    {
        Vector512<int> bits = s.AsInt32(), exponent = (bits - Vector512.Create(RootHalf)) >> 23;
        Vector512<float> m = (bits - (exponent << 23)).AsSingle() - Vector512<float>.One;
        Vector512<float> log = Vector512.Create(0.1681865911f);
        log = Vector512.FusedMultiplyAdd(log, m, Vector512.Create(-0.2679638705f));
        log = Vector512.FusedMultiplyAdd(log, m, Vector512.Create(0.2961195572f));
        log = Vector512.FusedMultiplyAdd(log, m, Vector512.Create(-0.3595244555f));
        log = Vector512.FusedMultiplyAdd(log, m, Vector512.Create(0.4806131255f));
        log = Vector512.FusedMultiplyAdd(log, m, Vector512.Create(-0.7213601786f));
        log = Vector512.FusedMultiplyAdd(log, m, Vector512.Create(1.442696523f));
        Vector512<float> y = Vector512.FusedMultiplyAdd(log, m, Vector512.ConvertToSingle(exponent)) * 0.2f, whole = Vector512.Round(y), r = y - whole;
        Vector512<float> root = Vector512.Create(0.00133908634f);
        root = Vector512.FusedMultiplyAdd(root, r, Vector512.Create(0.00967603192f));
        root = Vector512.FusedMultiplyAdd(root, r, Vector512.Create(0.05550357114f));
        root = Vector512.FusedMultiplyAdd(root, r, Vector512.Create(0.24022107489f));
        root = Vector512.FusedMultiplyAdd(root, r, Vector512.Create(0.69314718803f));
        root = Vector512.FusedMultiplyAdd(root, r, Vector512<float>.One);
        return s * (root.AsInt32() + (Vector512.ConvertToInt32(whole) << 23)).AsSingle();
    }
}
