using System.Numerics;
using System.Runtime.CompilerServices;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators;

/// <summary>The loops of <see cref="DropQuantize"/>: vectors of float first, the scalar formula for the rest and for float64.</summary>
internal static unsafe class DropQuantization
{
    private const int ChunkElements = 1 << 15;

    public static void Forward(Tensor x, FakeQuantization.CodeGrid<float> grid, CounterHash hash, uint threshold, Tensor y)
    {
        var job = new ForwardJob((float*)x.Address, (float*)y.Address, x.ByteCount / sizeof(float), grid, hash, threshold);
        Workers.Run(job.Chunks, ref job);
        GC.KeepAlive(x);
        GC.KeepAlive(y);
    }

    /// <returns>The gradient of the scale: sums of chunks in float, their total in double, in the order of memory.</returns>
    public static float Backward(EvaluationContext context, Tensor x, FakeQuantization.CodeGrid<float> grid, CounterHash hash, uint threshold, Tensor gradient, Tensor xGradient)
    {
        long count = x.ByteCount / sizeof(float);
        int chunks = (int)((count + ChunkElements - 1) / ChunkElements);
        float* sums = (float*)context.Scratch(Math.Max(1, chunks) * sizeof(float));
        var job = new BackwardJob((float*)x.Address, (float*)gradient.Address, (float*)xGradient.Address, sums, count, grid, hash, threshold);
        Workers.Run(chunks, ref job);
        GC.KeepAlive(x);
        GC.KeepAlive(gradient);
        GC.KeepAlive(xGradient);
        double total = 0;
        for (int i = 0; i < chunks; i++) total += sums[i];
        return (float)total;
    }

    /// <summary>The reference, and the path of gradient checks.</summary>
    /// <param name="x">Elements.</param>
    /// <param name="grid">Codes and their width.</param>
    /// <param name="hash">Random bits by index.</param>
    /// <param name="threshold">An element whose bits lie below this is quantized; the highest number quantizes all.</param>
    /// <param name="y">Results.</param>
    /// <param name="first">Index of the first element.</param>
    public static void Forward<T>(ReadOnlySpan<T> x, FakeQuantization.CodeGrid<T> grid, CounterHash hash, uint threshold, Span<T> y, uint first = 0) where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (int i = 0; i < x.Length; i++)
        {
            T value = x[i];
            y[i] = IsQuantized(hash, threshold, first + (uint)i) ? T.Clamp(T.Round(value / grid.Scale, MidpointRounding.ToEven), grid.Low, grid.High) * grid.Scale : value;
        }
    }

    /// <summary>The reference, and the path of gradient checks.</summary>
    public static T Backward<T>(ReadOnlySpan<T> x, FakeQuantization.CodeGrid<T> grid, CounterHash hash, uint threshold, ReadOnlySpan<T> gradient, Span<T> xGradient, uint first = 0)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T sum = T.Zero;
        for (int i = 0; i < x.Length; i++)
        {
            T upstream = gradient[i];
            if (!IsQuantized(hash, threshold, first + (uint)i))
            {
                xGradient[i] = upstream;
                continue;
            }
            T ratio = x[i] / grid.Scale, code = T.Round(ratio, MidpointRounding.ToEven), clamped = T.Clamp(code, grid.Low, grid.High);
            bool isInside = clamped == code;
            xGradient[i] = isInside ? upstream : T.Zero;
            sum += upstream * (clamped - (isInside ? ratio : T.Zero));
        }
        return sum;
    }

    /// <summary>True where an element is quantized.</summary>
    public static bool IsQuantized(CounterHash hash, uint threshold, uint index) => threshold == uint.MaxValue || hash[index] < threshold;

    private readonly struct ForwardJob(float* x, float* y, long count, FakeQuantization.CodeGrid<float> grid, CounterHash hash, uint threshold) : IJob
    {
        public int Chunks => (int)((count + ChunkElements - 1) / ChunkElements);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run(int chunk)
        {
            long start = (long)chunk * ChunkElements, end = Math.Min(count, start + ChunkElements), i = start;
            (Vector<float> scale, Vector<float> low, Vector<float> high) = (new(grid.Scale), new(grid.Low), new(grid.High));
            (bool isAll, Vector<uint> limit) = (threshold == uint.MaxValue, new(threshold));
            for (; i + Vector<float>.Count <= end; i += Vector<float>.Count)
            {
                Vector<float> value = Vector.Load(x + i);
                Vector<float> code = Vector.Min(Vector.Max(Vector.Round(value / scale, MidpointRounding.ToEven), low), high) * scale;
                Vector.ConditionalSelect(Takes(isAll, hash, limit, (uint)i), code, value).Store(y + i);
            }
            Forward(new ReadOnlySpan<float>(x + i, (int)(end - i)), grid, hash, threshold, new(y + i, (int)(end - i)), (uint)i);
        }
    }

    private readonly struct BackwardJob(float* x, float* gradient, float* xGradient, float* sums, long count, FakeQuantization.CodeGrid<float> grid, CounterHash hash, uint threshold) : IJob
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run(int chunk)
        {
            long start = (long)chunk * ChunkElements, end = Math.Min(count, start + ChunkElements), i = start;
            (Vector<float> scale, Vector<float> low, Vector<float> high) = (new(grid.Scale), new(grid.Low), new(grid.High));
            (bool isAll, Vector<uint> limit, Vector<float> total) = (threshold == uint.MaxValue, new(threshold), Vector<float>.Zero);
            for (; i + Vector<float>.Count <= end; i += Vector<float>.Count)
            {
                Vector<float> ratio = Vector.Load(x + i) / scale, code = Vector.Round(ratio, MidpointRounding.ToEven), upstream = Vector.Load(gradient + i);
                Vector<float> clamped = Vector.Min(Vector.Max(code, low), high), isInside = Vector.Equals(clamped, code).As<int, float>();
                Vector<float> inner = Vector.BitwiseAnd(upstream, isInside), part = upstream * (clamped - Vector.BitwiseAnd(ratio, isInside));
                Vector<float> takes = Takes(isAll, hash, limit, (uint)i);
                Vector.ConditionalSelect(takes, inner, upstream).Store(xGradient + i);
                total += Vector.BitwiseAnd(takes, part);
            }
            int rest = (int)(end - i);
            float tail = Backward(new ReadOnlySpan<float>(x + i, rest), grid, hash, threshold, new ReadOnlySpan<float>(gradient + i, rest), new Span<float>(xGradient + i, rest), (uint)i);
            sums[chunk] = Vector.Sum(total) + tail;
        }
    }

    /// <summary>All bits set where an element is quantized.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Takes(bool isAll, CounterHash hash, Vector<uint> threshold, uint index) =>
        (isAll ? Vector<uint>.AllBitsSet : Vector.LessThan(hash.From(index), threshold)).As<uint, float>();
}
