using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>Counts how many values fall into each of <see cref="Bins"/> bins of equal width: bin i holds floor(value * inverseWidth) = firstBin + i.</summary>
/// <remarks>
/// Bins are found by vectors, counted one by one. Zeros, half of what a Relu leaves, are counted by mask, and two tables take turns:
/// an increment that waits for the one before it on the same bin costs five times as much as one that does not.
/// Where the caller names bins of which a share tells enough, one block of values in <see cref="SampledShare"/> counts for all of them there;
/// which one, the golden ratio says, so that no period of rows or channels falls in step with it.
/// </remarks>
internal static unsafe class BinCounts
{
    public const int Bins = 8192;
    public const int SampledShare = 8;
    private const int MaxChunks = 4, Block = 256, Tables = 2;

    // One pair of tables a chunk, all zero between calls.
    [ThreadStatic] private static uint[]? t_tables;

    /// <summary>Adds the counts of the values.</summary>
    /// <param name="values">Any number of values.</param>
    /// <param name="inverseWidth">A power of two, so that products are exact.</param>
    /// <param name="firstBin">Number of the first bin, within ±2^29.</param>
    /// <param name="sampled">Bins that need not be counted in full: their first and the number of them. Zeros, lowest and highest are always exact.</param>
    /// <param name="counts">The counts to add to.</param>
    /// <param name="min">Lowest value.</param>
    /// <param name="max">Highest value.</param>
    /// <param name="counted">How much was added to the counts: as many as there are values, or nearly so where bins are sampled.</param>
    /// <returns>False where a value is NaN or lies in none of the bins; nothing is added then.</returns>
    public static bool TryAdd(ReadOnlySpan<float> values, float inverseWidth, int firstBin, (int First, int Count) sampled, Span<long> counts, out float min, out float max, out long counted)
    {
        counted = 0;
        (min, max) = (float.PositiveInfinity, float.NegativeInfinity);
        uint[] tables = t_tables ??= GC.AllocateArray<uint>(MaxChunks * Tables * Bins, pinned: true);
        // Each chunk costs as much as counting some thousand values, since its tables are added up.
        int wanted = values.Length >= 1 << 18 ? MaxChunks : values.Length >= 1 << 14 ? 2 : 1;
        int chunkLength = ((values.Length + wanted - 1) / wanted + 15) & ~15, chunks = (values.Length + chunkLength - 1) / chunkLength;
        // Sampled values are too few to wait for each other: one table less to add up.
        int tablesInUse = sampled.Count > 0 ? 1 : Tables;
        Result* results = stackalloc Result[MaxChunks];
        fixed (float* start = values)
        fixed (uint* table = tables)
        {
            var job = new CountJob(start, values.Length, chunkLength, inverseWidth, firstBin, sampled, (tablesInUse - 1) * Bins, table, results);
            Workers.Run(chunks, ref job);
        }
        for (int chunk = 0; chunk < chunks; chunk++)
        {
            if (results[chunk].IsOutside)
            {
                tables.AsSpan(0, chunks * Tables * Bins).Clear();
                return false;
            }
            (min, max) = (MathF.Min(min, results[chunk].Min), MathF.Max(max, results[chunk].Max));
        }
        int low = (int)MathF.Floor(min * inverseWidth) - firstBin, high = (int)MathF.Floor(max * inverseWidth) - firstBin;
        for (int table = 0; table < chunks * Tables; table++)
        {
            if (table % Tables < tablesInUse) counted += Move(tables.AsSpan(table * Bins + low, high - low + 1), counts.Slice(low, high - low + 1));
        }
        return true;
    }

    /// <summary>Adds a table to the counts and clears it.</summary>
    /// <returns>Sum of the table.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long Move(Span<uint> table, Span<long> counts)
    {
        int i = 0;
        long sum = 0;
        Vector512<ulong> sums = Vector512<ulong>.Zero;
        for (; i <= table.Length - Vector512<uint>.Count; i += Vector512<uint>.Count)
        {
            Vector512<uint> counted = Vector512.Create<uint>(table[i..]);
            if (counted == Vector512<uint>.Zero) continue;
            (Vector512<ulong> lower, Vector512<ulong> upper) = Vector512.Widen(counted);
            sums += lower + upper;
            Span<long> next = counts.Slice(i, Vector512<uint>.Count);
            (Vector512.Create<long>(next) + lower.AsInt64()).CopyTo(next);
            next = next[Vector512<long>.Count..];
            (Vector512.Create<long>(next) + upper.AsInt64()).CopyTo(next);
            Vector512<uint>.Zero.CopyTo(table[i..]);
        }
        for (; i < table.Length; i++)
        {
            counts[i] += table[i];
            sum += table[i];
            table[i] = 0;
        }
        return sum + (long)Vector512.Sum(sums);
    }

    private struct Result
    {
        public float Min, Max;
        public bool IsOutside;
    }

    private readonly struct CountJob(float* values, long count, long chunkLength, float inverseWidth, int firstBin, (int First, int Count) sampled, int second, uint* tables, Result* results) : IJob
    {
        public void Run(int chunk)
        {
            float* start = values + chunk * chunkLength;
            long length = Math.Min(chunkLength, count - chunk * chunkLength);
            uint* table = tables + chunk * Tables * Bins;
            results[chunk] = KernelPaths.Active >= KernelPath.Avx512
                ? CountVectors(start, length, inverseWidth, firstBin, sampled, second, table)
                : CountScalars(start, length, inverseWidth, firstBin, second, table, new() { Min = float.PositiveInfinity, Max = float.NegativeInfinity });
        }
    }

    /// <summary>The reference.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static Result CountScalars(float* values, long count, float inverseWidth, int firstBin, int second, uint* table, Result result)
    {
        for (long i = 0; i < count; i++)
        {
            float value = values[i];
            // What no int holds is converted to the nearest one, which lies outside for every first bin; NaN to 0.
            uint bin = (uint)((int)MathF.Floor(value * inverseWidth) - firstBin);
            if (bin >= Bins || float.IsNaN(value)) return new() { IsOutside = true };
            // Neighbours are often equal: they take different tables.
            table[(i & 1) * second + bin]++;
            if (value < result.Min) result.Min = value;
            if (value > result.Max) result.Max = value;
        }
        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static Result CountVectors(float* values, long count, float inverseWidth, int firstBin, (int First, int Count) sampled, int second, uint* table)
    {
        int* bins = stackalloc int[Block + 16];
        int* full = stackalloc int[Block + 16];
        Vector512<float> min = Vector512.Create(float.PositiveInfinity), max = Vector512.Create(float.NegativeInfinity), inverse = Vector512.Create(inverseWidth);
        Vector512<int> first = Vector512.Create(firstBin), firstSampled = Vector512.Create(sampled.First);
        Vector512<uint> sampledCount = Vector512.Create((uint)sampled.Count);
        long i = 0, zeros = 0;
        for (uint block = 0; count - i >= 16; block++)
        {
            long end = Math.Min(i + Block, count & ~15L);
            bool isSampled = sampled.Count > 0 && block * 2654435769u < uint.MaxValue / SampledShare;
            int filled = 0, filledFull = 0;
            Vector512<int> bits = Vector512<int>.Zero;
            for (; i < end; i += 16)
            {
                Vector512<float> x = Vector512.Load(values + i);
                // NaN, infinities and what no int holds become int.MinValue, which is outside for every first bin.
                Vector512<int> bin = Avx512F.ConvertToVector512Int32(x * inverse, FloatRoundingMode.ToNegativeInfinity) - first;
                bits |= bin;
                (min, max) = (Avx512F.Min(min, x), Avx512F.Max(max, x));
                Vector512<int> isNonZero = (~Vector512.Equals(x, Vector512<float>.Zero)).AsInt32();
                Vector512<int> isPart = Vector512.LessThan((bin - firstSampled).AsUInt32(), sampledCount).AsInt32() & isNonZero;
                Vector512<int> isFull = isNonZero & ~isPart;
                zeros += 16 - BitOperations.PopCount(isNonZero.ExtractMostSignificantBits());
                ulong fullLanes = isFull.ExtractMostSignificantBits();
                if (fullLanes != 0)
                {
                    Avx512F.Compress(bin, isFull, bin).Store(full + filledFull);
                    filledFull += BitOperations.PopCount(fullLanes);
                }
                if (!isSampled) continue;
                Avx512F.Compress(bin, isPart, bin).Store(bins + filled);
                filled += BitOperations.PopCount(isPart.ExtractMostSignificantBits());
            }
            if ((bits & Vector512.Create(~(Bins - 1))) != Vector512<int>.Zero) return new() { IsOutside = true };
            Increment(full, filledFull, 1, table, table + second);
            Increment(bins, filled, SampledShare, table, table + second);
        }
        if (zeros > 0) table[-firstBin] += (uint)zeros;
        return CountScalars(values + i, count - i, inverseWidth, firstBin, second, table, new() { Min = Lowest(min), Max = Highest(max) });
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Increment(int* bins, int count, uint weight, uint* table, uint* other)
    {
        int i = 0;
        for (; i + 4 <= count; i += 4)
        {
            table[bins[i]] += weight;
            other[bins[i + 1]] += weight;
            table[bins[i + 2]] += weight;
            other[bins[i + 3]] += weight;
        }
        for (; i < count; i++) table[bins[i]] += weight;
    }

    private static float Lowest(Vector512<float> lanes)
    {
        float lowest = lanes[0];
        for (int lane = 1; lane < 16; lane++) lowest = MathF.Min(lowest, lanes[lane]);
        return lowest;
    }

    private static float Highest(Vector512<float> lanes)
    {
        float highest = lanes[0];
        for (int lane = 1; lane < 16; lane++) highest = MathF.Max(highest, lanes[lane]);
        return highest;
    }
}
