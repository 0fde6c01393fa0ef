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
/// </remarks>
internal static unsafe class BinCounts
{
    public const int Bins = 8192;
    private const int MaxChunks = 4, Block = 256, Tables = 2;

    // One pair of tables a chunk, all zero between calls.
    [ThreadStatic] private static uint[]? t_tables;

    /// <summary>Adds the counts of the values.</summary>
    /// <param name="values">Any number of values.</param>
    /// <param name="inverseWidth">A power of two, so that products are exact.</param>
    /// <param name="firstBin">Number of the first bin, within ±2^29.</param>
    /// <param name="counts">The counts to add to.</param>
    /// <param name="min">Lowest value.</param>
    /// <param name="max">Highest value.</param>
    /// <returns>False where a value is NaN or lies in none of the bins; nothing is added then.</returns>
    public static bool TryAdd(ReadOnlySpan<float> values, float inverseWidth, int firstBin, Span<long> counts, out float min, out float max)
    {
        (min, max) = (float.PositiveInfinity, float.NegativeInfinity);
        uint[] tables = t_tables ??= GC.AllocateArray<uint>(MaxChunks * Tables * Bins, pinned: true);
        // Each chunk costs as much as counting some thousand values, since its tables are added up.
        int wanted = values.Length >= 1 << 18 ? MaxChunks : values.Length >= 1 << 14 ? 2 : 1;
        int chunkLength = ((values.Length + wanted - 1) / wanted + 15) & ~15, chunks = (values.Length + chunkLength - 1) / chunkLength;
        Result* results = stackalloc Result[MaxChunks];
        fixed (float* start = values)
        fixed (uint* table = tables)
        {
            var job = new CountJob(start, values.Length, chunkLength, inverseWidth, firstBin, table, results);
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
        for (int table = 0; table < chunks * Tables; table++) Move(tables.AsSpan(table * Bins + low, high - low + 1), counts.Slice(low, high - low + 1));
        return true;
    }

    /// <summary>Adds a table to the counts and clears it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Move(Span<uint> table, Span<long> counts)
    {
        int i = 0;
        for (; i <= table.Length - Vector<uint>.Count; i += Vector<uint>.Count)
        {
            Vector<uint> counted = new(table[i..]);
            if (Vector.EqualsAll(counted, Vector<uint>.Zero)) continue;
            Vector.Widen(counted, out Vector<ulong> lower, out Vector<ulong> upper);
            (new Vector<long>(counts[i..]) + Vector.AsVectorInt64(lower)).CopyTo(counts[i..]);
            Span<long> next = counts[(i + Vector<long>.Count)..];
            (new Vector<long>(next) + Vector.AsVectorInt64(upper)).CopyTo(next);
            Vector<uint>.Zero.CopyTo(table[i..]);
        }
        for (; i < table.Length; i++)
        {
            counts[i] += table[i];
            table[i] = 0;
        }
    }

    private struct Result
    {
        public float Min, Max;
        public bool IsOutside;
    }

    private readonly struct CountJob(float* values, long count, long chunkLength, float inverseWidth, int firstBin, uint* tables, Result* results) : IJob
    {
        public void Run(int chunk)
        {
            float* start = values + chunk * chunkLength;
            long length = Math.Min(chunkLength, count - chunk * chunkLength);
            uint* table = tables + chunk * Tables * Bins;
            results[chunk] = KernelPaths.Active >= KernelPath.Avx512
                ? CountVectors(start, length, inverseWidth, firstBin, table)
                : CountScalars(start, length, inverseWidth, firstBin, table, new() { Min = float.PositiveInfinity, Max = float.NegativeInfinity });
        }
    }

    /// <summary>The reference.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static Result CountScalars(float* values, long count, float inverseWidth, int firstBin, uint* table, Result result)
    {
        for (long i = 0; i < count; i++)
        {
            float value = values[i];
            // What no int holds is converted to the nearest one, which lies outside for every first bin; NaN to 0.
            uint bin = (uint)((int)MathF.Floor(value * inverseWidth) - firstBin);
            if (bin >= Bins || float.IsNaN(value)) return new() { IsOutside = true };
            // Neighbours are often equal: they take different tables.
            table[(i & 1) * Bins + bin]++;
            if (value < result.Min) result.Min = value;
            if (value > result.Max) result.Max = value;
        }
        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static Result CountVectors(float* values, long count, float inverseWidth, int firstBin, uint* table)
    {
        int* bins = stackalloc int[Block + 16];
        Vector512<float> min = Vector512.Create(float.PositiveInfinity), max = Vector512.Create(float.NegativeInfinity), inverse = Vector512.Create(inverseWidth);
        Vector512<int> first = Vector512.Create(firstBin);
        long i = 0, zeros = 0;
        while (count - i >= 16)
        {
            long begin = i, end = Math.Min(i + Block, count & ~15L);
            int filled = 0;
            Vector512<int> bits = Vector512<int>.Zero;
            for (; i < end; i += 16)
            {
                Vector512<float> x = Vector512.Load(values + i);
                // NaN, infinities and what no int holds become int.MinValue, which is outside for every first bin.
                Vector512<int> bin = Avx512F.ConvertToVector512Int32(x * inverse, FloatRoundingMode.ToNegativeInfinity) - first;
                bits |= bin;
                (min, max) = (Avx512F.Min(min, x), Avx512F.Max(max, x));
                Vector512<float> isNonZero = ~Vector512.Equals(x, Vector512<float>.Zero);
                Avx512F.Compress(bin, isNonZero.AsInt32(), bin).Store(bins + filled);
                filled += BitOperations.PopCount(isNonZero.ExtractMostSignificantBits());
            }
            if ((bits & Vector512.Create(~(Bins - 1))) != Vector512<int>.Zero) return new() { IsOutside = true };
            zeros += end - begin - filled;
            Increment(bins, filled, table);
        }
        if (zeros > 0) table[-firstBin] += (uint)zeros;
        return CountScalars(values + i, count - i, inverseWidth, firstBin, table, new() { Min = Lowest(min), Max = Highest(max) });
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Increment(int* bins, int count, uint* table)
    {
        uint* other = table + Bins;
        int i = 0;
        for (; i + 4 <= count; i += 4)
        {
            table[bins[i]]++;
            other[bins[i + 1]]++;
            table[bins[i + 2]]++;
            other[bins[i + 3]]++;
        }
        for (; i < count; i++) table[bins[i]]++;
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
