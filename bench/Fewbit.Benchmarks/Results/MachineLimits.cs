using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Fewbit.Benchmarks.Results;

/// <summary>What the processor can do at most: measured, since neither clock nor memory speed is stated by a virtual machine.</summary>
internal static unsafe class MachineLimits
{
    private const int Accumulators = 12;

    /// <summary>GFLOP/s of fused multiply-adds on registers, of all threads together.</summary>
    public static double Gigaflops(int threads)
    {
        double best = 0;
        for (int round = 0; round < 5; round++)
        {
            const int Steps = 20_000_000;
            long start = Stopwatch.GetTimestamp();
            Thread[] workers = [.. Enumerable.Range(0, threads).Select(_ => new Thread(() => MultiplyAdd(Steps)))];
            foreach (Thread worker in workers) worker.Start();
            foreach (Thread worker in workers) worker.Join();
            double operations = 2.0 * Accumulators * (Vector512.IsHardwareAccelerated ? Vector512<float>.Count : Vector256<float>.Count) * Steps * threads;
            best = Math.Max(best, operations / Stopwatch.GetElapsedTime(start).TotalSeconds / 1e9);
        }
        return best;
    }

    /// <summary>GB/s, read and written bytes together, of copying memory that no cache holds.</summary>
    public static double GigabytesPerSecond()
    {
        const int Length = 64 << 20;
        float[] from = new float[Length / 4], to = new float[Length / 4];
        double best = 0;
        for (int round = 0; round < 6; round++)
        {
            long start = Stopwatch.GetTimestamp();
            from.CopyTo(to, 0);
            best = Math.Max(best, 2.0 * Length / Stopwatch.GetElapsedTime(start).TotalSeconds / 1e9);
        }
        return best;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float MultiplyAdd(int steps) => Vector512.IsHardwareAccelerated ? MultiplyAdd512(steps) : MultiplyAdd256(steps);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float MultiplyAdd512(int steps)
    {
        Vector512<float> x = Vector512.Create(0.999f), y = Vector512.Create(0.001f), a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
        for (int step = 0; step < steps; step++)
        {
            (a, b, c, d) = (Vector512.FusedMultiplyAdd(a, x, y), Vector512.FusedMultiplyAdd(b, x, y), Vector512.FusedMultiplyAdd(c, x, y), Vector512.FusedMultiplyAdd(d, x, y));
            (e, f, g, h) = (Vector512.FusedMultiplyAdd(e, x, y), Vector512.FusedMultiplyAdd(f, x, y), Vector512.FusedMultiplyAdd(g, x, y), Vector512.FusedMultiplyAdd(h, x, y));
            (i, j, k, l) = (Vector512.FusedMultiplyAdd(i, x, y), Vector512.FusedMultiplyAdd(j, x, y), Vector512.FusedMultiplyAdd(k, x, y), Vector512.FusedMultiplyAdd(l, x, y));
        }
        return Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float MultiplyAdd256(int steps)
    {
        Vector256<float> x = Vector256.Create(0.999f), y = Vector256.Create(0.001f), a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
        for (int step = 0; step < steps; step++)
        {
            (a, b, c, d) = (Vector256.FusedMultiplyAdd(a, x, y), Vector256.FusedMultiplyAdd(b, x, y), Vector256.FusedMultiplyAdd(c, x, y), Vector256.FusedMultiplyAdd(d, x, y));
            (e, f, g, h) = (Vector256.FusedMultiplyAdd(e, x, y), Vector256.FusedMultiplyAdd(f, x, y), Vector256.FusedMultiplyAdd(g, x, y), Vector256.FusedMultiplyAdd(h, x, y));
            (i, j, k, l) = (Vector256.FusedMultiplyAdd(i, x, y), Vector256.FusedMultiplyAdd(j, x, y), Vector256.FusedMultiplyAdd(k, x, y), Vector256.FusedMultiplyAdd(l, x, y));
        }
        return Vector256.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }
}
