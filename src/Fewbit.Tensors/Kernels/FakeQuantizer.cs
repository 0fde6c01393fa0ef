using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>y = clamp(round_half_even(x / scale), low, high) * scale, one scale for each row of [rows, inner], the channels taking turns.</summary>
/// <remarks>NaN stays NaN. Results that no cache would hold until they are read are written past the caches.</remarks>
internal static unsafe class FakeQuantizer
{
    private const long StreamedElements = 1 << 21;

    /// <summary>The codes relative to the zero point, and the width of one.</summary>
    public readonly record struct Grid(float Scale, float Low, float High);

    /// <param name="x">[rows, inner].</param>
    /// <param name="y">As many; may be x.</param>
    /// <param name="rows">A multiple of the number of grids.</param>
    /// <param name="inner">Elements of a row.</param>
    /// <param name="grids">Row r takes grid r modulo their number.</param>
    public static void Run(float* x, float* y, long rows, long inner, ReadOnlySpan<Grid> grids)
    {
        fixed (Grid* first = grids)
        {
            var job = new RowChunks<Kernel>(new(x, y, first, x != y && rows * inner >= StreamedElements), rows, inner, grids.Length);
            Workers.Run(job.Chunks, ref job);
        }
    }

    /// <summary>One element, by the same formula.</summary>
    public static float Reference(float x, Grid grid)
    {
        float code = MathF.Round(x / grid.Scale, MidpointRounding.ToEven);
        code = code < grid.Low ? grid.Low : code;
        return (code > grid.High ? grid.High : code) * grid.Scale;
    }

    private readonly struct Kernel(float* x, float* y, Grid* grids, bool streams) : IRowKernel
    {
        public void Run(long start, long count, int grid)
        {
            if (KernelPaths.Active >= KernelPath.Avx512) Vectors512(x + start, y + start, count, grids[grid], streams);
            else if (KernelPaths.Active != KernelPath.Scalar) Vectors(x + start, y + start, count, grids[grid]);
            else Scalars(x + start, y + start, 0, count, grids[grid]);
        }

        public void Finish()
        {
            if (streams && Sse.IsSupported) Sse.StoreFence();
        }
    }

    private static void Scalars(float* x, float* y, long i, long count, Grid grid)
    {
        for (; i < count; i++) y[i] = Reference(x[i], grid);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Vectors(float* x, float* y, long count, Grid grid)
    {
        (Vector<float> scale, Vector<float> low, Vector<float> high) = (new(grid.Scale), new(grid.Low), new(grid.High));
        long i = 0;
        for (; i + Vector<float>.Count <= count; i += Vector<float>.Count)
        {
            Vector<float> code = Vector.Round(Vector.Load(x + i) / scale, MidpointRounding.ToEven);
            code = Vector.ConditionalSelect(Vector.LessThan(code, low), low, code);
            (Vector.ConditionalSelect(Vector.GreaterThan(code, high), high, code) * scale).Store(y + i);
        }
        Scalars(x, y, i, count, grid);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Vectors512(float* x, float* y, long count, Grid grid, bool streams)
    {
        (Vector512<float> scale, Vector512<float> low, Vector512<float> high) = (Vector512.Create(grid.Scale), Vector512.Create(grid.Low), Vector512.Create(grid.High));
        long i = 0;
        if (streams && count >= 32)
        {
            // The first vector reaches beyond the next boundary, from which on addresses are aligned.
            One(x, scale, low, high).Store(y);
            for (i = (64 - (long)((nuint)y & 63)) / sizeof(float); i + 16 <= count; i += 16) One(x + i, scale, low, high).StoreAlignedNonTemporal(y + i);
        }
        for (; i + 16 <= count; i += 16) One(x + i, scale, low, high).Store(y + i);
        Scalars(x, y, i, count, grid);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> One(float* x, Vector512<float> scale, Vector512<float> low, Vector512<float> high)
    {
        Vector512<float> code = Avx512F.RoundScale(Vector512.Load(x) / scale, 0);
        // The second operand is the result where one is NaN.
        return Avx512F.Min(high, Avx512F.Max(low, code)) * scale;
    }
}
