using System.Numerics;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators;

/// <summary>Moves numbers between the windows of a pooling and the elements of its image, row-major.</summary>
internal unsafe interface IPoolRoute
{
    /// <summary>Whether the result is an image; otherwise it has a number for each window.</summary>
    static abstract bool WritesImage { get; }

    /// <summary>One plane.</summary>
    /// <param name="windows">The windows of the plane.</param>
    /// <param name="countsPad">Whether padding counts in a mean.</param>
    /// <param name="given">Numbers of the windows where the result is an image; an image otherwise.</param>
    /// <param name="x">The image that was pooled; null for means.</param>
    /// <param name="result">Overwritten.</param>
    static abstract void Run<T>(in PlaneWindows windows, bool countsPad, T* given, T* x, T* result) where T : unmanaged, INumber<T>;
}

/// <summary>Runs a route over all planes.</summary>
internal sealed unsafe class PoolRouteKernel<T, TRoute>(PoolGeometry shape, bool countsPad, bool readsImage) : IKernel where T : unmanaged, INumber<T> where TRoute : struct, IPoolRoute
{
    public void Run(EvaluationContext context)
    {
        var job = new Job(new(shape), countsPad, shape.Planes, (T*)context.Input(0).Address, readsImage ? (T*)context.Input(1).Address : null, (T*)context.Output(0).Address);
        Workers.Run(job.Chunks, ref job);
        GC.KeepAlive(context);
    }

    private readonly struct Job(PlaneWindows windows, bool countsPad, int planes, T* given, T* x, T* result) : IJob
    {
        private readonly int _planesPerChunk = Math.Max(1, 8192 / Math.Max(1, windows.OutPlane));

        public int Chunks => (planes + _planesPerChunk - 1) / _planesPerChunk;

        public void Run(int chunk)
        {
            long from = TRoute.WritesImage ? windows.OutPlane : windows.InPlane, to = TRoute.WritesImage ? windows.InPlane : windows.OutPlane;
            int end = Math.Min((chunk + 1) * _planesPerChunk, planes);
            for (int plane = chunk * _planesPerChunk; plane < end; plane++)
                TRoute.Run(windows, countsPad, given + plane * from, x == null ? null : x + (long)plane * windows.InPlane, result + plane * to);
        }
    }
}

/// <summary>Adds each window's number where its maximum lies.</summary>
internal readonly unsafe struct ScatterToMaxima : IPoolRoute
{
    public static bool WritesImage => true;

    public static void Run<T>(in PlaneWindows windows, bool countsPad, T* given, T* x, T* result) where T : unmanaged, INumber<T>
    {
        new Span<T>(result, windows.InPlane).Clear();
        for (int i = 0; i < windows.A.Out; i++)
        {
            for (int j = 0; j < windows.B.Out; j++)
            {
                for (int k = 0; k < windows.C.Out; k++, given++)
                {
                    int best = windows.Largest(x, i, j, k);
                    if (best >= 0) result[best] += *given;
                }
            }
        }
    }
}

/// <summary>Reads the number that lies where each window's maximum lies; 0 for a window in the padding.</summary>
internal readonly unsafe struct GatherFromMaxima : IPoolRoute
{
    public static bool WritesImage => false;

    public static void Run<T>(in PlaneWindows windows, bool countsPad, T* given, T* x, T* result) where T : unmanaged, INumber<T>
    {
        for (int i = 0; i < windows.A.Out; i++)
        {
            for (int j = 0; j < windows.B.Out; j++)
            {
                for (int k = 0; k < windows.C.Out; k++)
                {
                    int best = windows.Largest(x, i, j, k);
                    *result++ = best < 0 ? T.Zero : given[best];
                }
            }
        }
    }
}

/// <summary>Gives each window's number in equal parts to the elements under it.</summary>
internal readonly unsafe struct SpreadOverWindows : IPoolRoute
{
    public static bool WritesImage => true;

    public static void Run<T>(in PlaneWindows windows, bool countsPad, T* given, T* x, T* result) where T : unmanaged, INumber<T>
    {
        new Span<T>(result, windows.InPlane).Clear();
        for (int i = 0; i < windows.A.Out; i++)
        {
            for (int j = 0; j < windows.B.Out; j++)
            {
                for (int k = 0; k < windows.C.Out; k++) windows.Add(result, i, j, k, *given++ / T.CreateChecked(windows.Count(i, j, k, countsPad)));
            }
        }
    }
}
