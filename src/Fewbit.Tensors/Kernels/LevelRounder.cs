using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>Numbers to the nearest level of a table, or to its code.</summary>
/// <remarks>Tables of up to 32 levels stay in registers (AVX-512); longer ones are gathered (AVX2).</remarks>
internal static unsafe class LevelRounder
{
    /// <summary>y = nearest(x / scale) * scale, one scale for each row of [rows, inner], in turns. NaN stays NaN.</summary>
    public static void Run(LevelTable table, float* x, float* y, long rows, long inner, ReadOnlySpan<float> scales)
    {
        fixed (float* first = scales, levels = table.PaddedLevels, thresholds = table.Thresholds)
        {
            var places = new Places(table, thresholds, levels);
            var job = new RowChunks<Kernel>(new(places, x, y, first), rows, inner, scales.Length);
            Workers.Run(job.Chunks, ref job);
        }
    }

    /// <summary>One number: nearest(x / scale) * scale.</summary>
    public static float Reference(LevelTable table, float x, float scale) =>
        float.IsNaN(x / scale) ? float.NaN : table.Levels[table.NearestTo(x / scale)] * scale;

    /// <summary>The codes of x / scale.</summary>
    public static void Codes(LevelTable table, ReadOnlySpan<float> x, Span<int> codes, float scale)
    {
        fixed (float* source = x, thresholds = table.Thresholds)
        fixed (int* target = codes[..x.Length], values = table.PaddedCodes)
        {
            var places = new Places(table, thresholds, (float*)values);
            long done = Vectors(places, source, (float*)target, x.Length, scale, isCode: true);
            for (long i = done; i < x.Length; i++) target[i] = values[places.Nearest(source[i] / scale)];
        }
    }

    /// <summary>A table in fixed memory.</summary>
    /// <param name="table">The table.</param>
    /// <param name="thresholds">Its thresholds.</param>
    /// <param name="values">What stands at each place, filled up: its levels, or the bits of codes.</param>
    internal readonly struct Places(LevelTable table, float* thresholds, float* values) : INumberRounder
    {
        public readonly float* Thresholds = thresholds, Values = values;
        public readonly int Size = table.SearchSize, NaN = table.NearestToZero;

        public int Nearest(float number) => LevelTable.NearestTo(number, Thresholds, Size, NaN);

        public void Round(float* x, float* y, long count) => LevelRounder.Round(this, x, y, count, 1);
    }

    private readonly struct Kernel(Places places, float* x, float* y, float* scales) : IRowKernel
    {
        public void Run(long start, long count, int grid) => Round(places, x + start, y + start, count, scales[grid]);

        public void Finish()
        {
        }
    }

    private static void Round(Places places, float* x, float* y, long count, float scale)
    {
        for (long i = Vectors(places, x, y, count, scale, isCode: false); i < count; i++)
        {
            float number = x[i] / scale;
            y[i] = float.IsNaN(number) ? float.NaN : places.Values[places.Nearest(number)] * scale;
        }
    }

    /// <returns>How many elements are done: a multiple of the vector's width.</returns>
    private static long Vectors(Places places, float* x, float* y, long count, float scale, bool isCode)
    {
        if (KernelPaths.Active >= KernelPath.Avx512 && places.Size <= 32) return Vectors512(places, x, y, count, scale, isCode);
        return KernelPaths.Active >= KernelPath.Avx2 ? Vectors256(places, x, y, count, scale, isCode) : 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long Vectors512(Places places, float* x, float* y, long count, float scale, bool isCode)
    {
        int upper = Math.Max(0, places.Size - 16);
        (Vector512<float> lowThresholds, Vector512<float> highThresholds) = (Vector512.Load(places.Thresholds), Vector512.Load(places.Thresholds + upper));
        (Vector512<float> lowValues, Vector512<float> highValues) = (Vector512.Load(places.Values), Vector512.Load(places.Values + upper));
        (Vector512<float> scales, Vector512<int> ofNaN) = (Vector512.Create(scale), Vector512.Create(places.NaN));
        long i = 0;
        for (; i + 16 <= count; i += 16)
        {
            Vector512<float> number = Vector512.Load(x + i) / scales;
            Vector512<int> place = Vector512<int>.Zero;
            for (int step = places.Size / 2; step > 0; step /= 2)
            {
                Vector512<float> threshold = Avx512F.PermuteVar16x32x2(lowThresholds, place + Vector512.Create(step - 1), highThresholds);
                place += Vector512.GreaterThanOrEqual(number, threshold).AsInt32() & Vector512.Create(step);
            }
            Vector512<float> isNumber = Vector512.Equals(number, number);
            place = Vector512.ConditionalSelect(isNumber.AsInt32(), place, ofNaN);
            Vector512<float> value = Avx512F.PermuteVar16x32x2(lowValues, place, highValues);
            (isCode ? value : Vector512.ConditionalSelect(isNumber, value * scales, number)).Store(y + i);
        }
        return i;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long Vectors256(Places places, float* x, float* y, long count, float scale, bool isCode)
    {
        (Vector256<float> scales, Vector256<int> ofNaN) = (Vector256.Create(scale), Vector256.Create(places.NaN));
        long i = 0;
        for (; i + 8 <= count; i += 8)
        {
            Vector256<float> number = Vector256.Load(x + i) / scales;
            Vector256<int> place = Vector256<int>.Zero;
            for (int step = places.Size / 2; step > 0; step /= 2)
            {
                Vector256<float> threshold = Avx2.GatherVector256(places.Thresholds, place + Vector256.Create(step - 1), sizeof(float));
                place += Vector256.GreaterThanOrEqual(number, threshold).AsInt32() & Vector256.Create(step);
            }
            Vector256<float> isNumber = Vector256.Equals(number, number);
            place = Vector256.ConditionalSelect(isNumber.AsInt32(), place, ofNaN);
            Vector256<float> value = Avx2.GatherVector256(places.Values, place, sizeof(float));
            (isCode ? value : Vector256.ConditionalSelect(isNumber, value * scales, number)).Store(y + i);
        }
        return i;
    }
}
