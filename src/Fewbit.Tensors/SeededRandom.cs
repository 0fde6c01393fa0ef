using System.Numerics;

namespace Fewbit.Tensors;

/// <summary>Random numbers that depend on the seed alone, on every platform and in every version: xoshiro256** of Blackman and Vigna.</summary>
/// <remarks>Mutable: pass it by reference. Formulas use only operations that IEEE 754 fixes, so sequences of floats are the same everywhere too.</remarks>
public struct SeededRandom
{
    private ulong _s0, _s1, _s2, _s3;

    /// <summary>Starts the sequence of a seed.</summary>
    public SeededRandom(ulong seed)
    {
        // SplitMix64 spreads the seed over the state.
        (_s0, _s1, _s2, _s3) = (Mix(ref seed), Mix(ref seed), Mix(ref seed), Mix(ref seed));
    }

    /// <summary>64 random bits.</summary>
    public ulong NextBits()
    {
        ulong result = BitOperations.RotateLeft(_s1 * 5, 7) * 9, shifted = _s1 << 17;
        _s2 ^= _s0;
        _s3 ^= _s1;
        _s1 ^= _s2;
        _s0 ^= _s3;
        _s2 ^= shifted;
        _s3 = BitOperations.RotateLeft(_s3, 45);
        return result;
    }

    /// <summary>A number in [0, 1), a multiple of 2^-53.</summary>
    public double NextDouble() => (NextBits() >> 11) * (1.0 / (1UL << 53));

    /// <summary>A number in [0, 1), a multiple of 2^-24.</summary>
    public float NextSingle() => (NextBits() >> 40) * (1f / (1 << 24));

    /// <summary>A whole number in [0, bound), each equally likely.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The bound is below 1.</exception>
    public int NextInt(int bound)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bound);
        // Lemire's method: the few values that would favour some results are drawn again.
        ulong product = (NextBits() >> 32) * (uint)bound;
        uint low = (uint)product, threshold = (uint)-bound % (uint)bound;
        while (low < threshold)
        {
            product = (NextBits() >> 32) * (uint)bound;
            low = (uint)product;
        }
        return (int)(product >> 32);
    }

    /// <summary>A number of the standard normal distribution, by Marsaglia's polar method.</summary>
    public double NextNormal()
    {
        while (true)
        {
            double u = 2 * NextDouble() - 1, v = 2 * NextDouble() - 1, s = u * u + v * v;
            if (s is > 0 and < 1) return u * Math.Sqrt(-2 * Math.Log(s) / s);
        }
    }

    /// <summary>Puts the items into random order, each order equally likely.</summary>
    public void Shuffle<T>(Span<T> items)
    {
        for (int i = items.Length - 1; i > 0; i--)
        {
            int j = NextInt(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    private static ulong Mix(ref ulong state)
    {
        ulong z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
