using System.Numerics;
using System.Runtime.CompilerServices;

namespace Fewbit.Graphs.Operators;

/// <summary>32 random bits for each index of a stream: a function of two keys and the index alone, so that a backward pass draws what the forward pass drew.</summary>
/// <remarks>A multiply-xorshift mixer with the second key added in the middle; the multipliers are those of Wellons' "lowbias32".</remarks>
internal readonly struct CounterHash
{
    private const uint Spread = 0x9E3779B1, First = 0x7FEB352D, Second = 0x846CA68B;
    private readonly uint _key0, _key1;

    /// <param name="seed">Seed of a step.</param>
    /// <param name="stream">Which of the step's streams.</param>
    public CounterHash(uint seed, uint stream)
    {
        _key0 = Mixed(seed * Spread + 1, stream);
        _key1 = Mixed(stream * Spread + 2, seed);
    }

    /// <summary>The bits below which a number falls with the given probability; all bits set for 1.</summary>
    public static uint Threshold(double probability) => (uint)Math.Min(uint.MaxValue, Math.Round(probability * 4294967296.0));

    /// <summary>Bits of one index.</summary>
    public uint this[uint index] => Mixed(index * Spread + _key0, _key1);

    /// <summary>Bits of neighbouring indices.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<uint> From(uint index)
    {
        Vector<uint> x = (Vector<uint>.Indices + new Vector<uint>(index)) * Spread + new Vector<uint>(_key0);
        x ^= x >>> 16;
        x *= First;
        x ^= (x >>> 15) + new Vector<uint>(_key1);
        x *= Second;
        return x ^ (x >>> 16);
    }

    private static uint Mixed(uint x, uint key)
    {
        x ^= x >> 16;
        x *= First;
        x ^= (x >> 15) + key;
        x *= Second;
        return x ^ (x >> 16);
    }
}
