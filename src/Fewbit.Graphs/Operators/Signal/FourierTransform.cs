using System.Numerics;

namespace Fewbit.Graphs.Operators.Signal;

/// <summary>The discrete Fourier transform of one length: X[k] = sum over n of x[n] * e^(-2 pi i k n / N); the inverse conjugates and divides by N.</summary>
internal abstract class FourierTransform
{
    private const int LargestFactor = 61;

    /// <param name="length">N.</param>
    /// <param name="isSingle">Whether sums are rounded to float32 where N has small factors only.</param>
    public static FourierTransform Of(int length, bool isSingle = false)
    {
        int[] factors = Factors(length);
        if (factors.Length > 0 && factors[^1] > LargestFactor) return new ChirpTransform(length);
        return isSingle ? new MixedRadixTransform<float>(length, factors) : new MixedRadixTransform<double>(length, factors);
    }

    /// <summary>Transforms in place.</summary>
    public abstract void Run(Span<Complex> values, bool isInverse);

    /// <summary>Prime factors, the smallest first.</summary>
    private static int[] Factors(int length)
    {
        var factors = new List<int>();
        for (int p = 2; length > 1; p++)
        {
            if ((long)p * p > length) p = length;
            for (; length % p == 0; length /= p) factors.Add(p);
        }
        return [.. factors];
    }
}

/// <summary>Lengths with large prime factors: the transform as a convolution with a chirp, which transforms of a power of two compute.</summary>
/// <remarks>Bluestein, "A linear filtering approach to the computation of discrete Fourier transform", 1970.</remarks>
internal sealed class ChirpTransform : FourierTransform
{
    private readonly FourierTransform _wide;
    private readonly Complex[] _chirp; // e^(-pi i n^2 / N)
    private readonly Complex[] _filter;
    private readonly Complex[] _work;

    public ChirpTransform(int length)
    {
        int width = checked((int)BitOperations.RoundUpToPowerOf2((uint)(2 * length - 1)));
        (_wide, _chirp, _filter, _work) = (Of(width), new Complex[length], new Complex[width], new Complex[width]);
        for (long n = 0; n < length; n++)
        {
            // n^2 is taken modulo 2 N, so that the angle keeps its digits.
            _chirp[n] = Complex.FromPolarCoordinates(1, -Math.PI * (n * n % (2L * length)) / length);
            _filter[n] = _filter[(width - n) % width] = Complex.Conjugate(_chirp[n]);
        }
        _wide.Run(_filter, isInverse: false);
    }

    public override void Run(Span<Complex> values, bool isInverse)
    {
        // The inverse is the conjugate of the transform of the conjugate.
        _work.AsSpan(values.Length).Clear();
        for (int n = 0; n < values.Length; n++) _work[n] = (isInverse ? Complex.Conjugate(values[n]) : values[n]) * _chirp[n];
        _wide.Run(_work, isInverse: false);
        for (int k = 0; k < _work.Length; k++) _work[k] *= _filter[k];
        _wide.Run(_work, isInverse: true);
        for (int k = 0; k < values.Length; k++)
        {
            Complex result = _work[k] * _chirp[k];
            values[k] = isInverse ? Complex.Conjugate(result) / values.Length : result;
        }
    }
}
