using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>Packs all blocks of an operand; a chunk is some neighbouring panels of one block. The default packs nothing.</summary>
internal readonly unsafe struct PackJob : IJob
{
    private const int ChunkFloats = 1 << 16;

    private readonly PackedMatrix _packed;
    private readonly float* _source;
    private readonly int _stride, _panelsPerChunk;
    private readonly bool _innerIsContiguous;

    private PackJob(PackedMatrix packed, float* source, int stride, bool innerIsContiguous)
    {
        (_packed, _stride, _innerIsContiguous) = (packed, stride, innerIsContiguous);
        _source = source;
        _panelsPerChunk = Math.Max(1, ChunkFloats / (packed.Panel * Math.Max(1, packed.BlockLength)));
    }

    /// <summary>Packs op(X) from element <paramref name="start"/> of its inner dimension on.</summary>
    public static PackJob Of(PackedMatrix.Side side, PackedMatrix packed, float* source, int stride, bool transposed, int start)
    {
        bool contiguous = PackedMatrix.InnerIsContiguous(side, transposed);
        return new(packed, source + (contiguous ? start : (long)start * stride), stride, contiguous);
    }

    private int ChunksPerBlock => (_packed.PanelTotal + _panelsPerChunk - 1) / _panelsPerChunk;

    public int Chunks => _panelsPerChunk == 0 ? 0 : ChunksPerBlock * _packed.BlockCount;

    public void Run(int chunk)
    {
        int block = chunk / ChunksPerBlock, first = chunk % ChunksPerBlock * _panelsPerChunk;
        Pack(block, first, Math.Min(first + _panelsPerChunk, _packed.PanelTotal), _packed.PanelAt(block, first));
    }

    /// <summary>Packs some neighbouring panels of a block to a place of the caller's.</summary>
    public void Pack(int block, int first, int last, float* to)
    {
        int width = _packed.Panel, start = _packed.BlockStart(block), length = _packed.BlockSize(block);
        if (!_innerIsContiguous)
        {
            Panels.PackColumns(_source + (long)start * _stride + first * width, _stride, Math.Min(last * width, _packed.Outer) - first * width, length, width, to);
            return;
        }
        for (int panel = first; panel < last; panel++, to += (long)width * length)
        {
            int outer = panel * width;
            Panels.PackRows(_source + (long)outer * _stride + start, _stride, Math.Min(width, _packed.Outer - outer), length, width, to);
        }
    }
}

/// <summary>Packs both operands in one fork.</summary>
internal readonly struct PackPair(PackJob first, PackJob second) : IJob
{
    public int Chunks => first.Chunks + second.Chunks;

    public void Run(int chunk)
    {
        if (chunk < first.Chunks) first.Run(chunk);
        else second.Run(chunk - first.Chunks);
    }
}

/// <summary>Copies into panels [length, width], zeros after the last row or column of the source.</summary>
internal static unsafe class Panels
{
    /// <summary>One panel: the transpose of count rows of the source.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PackRows(float* source, int stride, int count, int length, int width, float* to)
    {
        if (count < width) new Span<float>(to, length * width).Clear();
        int whole = Avx.IsSupported ? count / 4 * 4 : 0, p = 0;
        for (; p + 8 <= length && whole > 0; p += 8, to += 8 * width)
        {
            for (int r = 0; r < whole; r += 4) Transpose4x8(source + (long)r * stride + p, stride, to + r, width);
            for (int r = whole; r < count; r++) Column(source + (long)r * stride + p, 8, width, to + r);
        }
        for (int r = 0; r < count; r++) Column(source + (long)r * stride + p, length - p, width, to + r);
    }

    /// <summary>Neighbouring panels, the last one perhaps not full: each row of a panel is a piece of a row of the source.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PackColumns(float* source, int stride, int count, int length, int width, float* to)
    {
        int whole = count / width, rest = count % width, p = 0;
        long panel = (long)length * width;
        if (width == 12 && Vector256.IsHardwareAccelerated)
        {
            // Four rows at a time fill three lines of the cache: panels lie whole pages apart, and lines that are begun would be driven out before they are full.
            for (; p + 4 <= length; p += 4)
            {
                float* from = source + (long)p * stride, target = to + (long)p * width;
                long ahead = AheadOf(p, length, stride);
                for (int i = 0; i < whole; i++, from += width, target += panel)
                {
                    for (int r = 0; r < 4; r++) Fetch(from + ahead + (long)r * stride);
                    Copy12(from, target);
                    Copy12(from + stride, target + 12);
                    Copy12(from + 2L * stride, target + 24);
                    Copy12(from + 3L * stride, target + 36);
                }
                for (int r = 0; r < 4 && rest > 0; r++) CopyPart(from + (long)r * stride, target + r * width, rest, width);
            }
        }
        for (; p < length; p++)
        {
            float* from = source + (long)p * stride, target = to + (long)p * width;
            long ahead = AheadOf(p, length, stride);
            for (int i = 0; i < whole; i++, from += width, target += panel)
            {
                for (int line = 0; line < width; line += 16) Fetch(from + ahead + line);
                Copy(from, target, width);
            }
            if (rest > 0) CopyPart(from, target, rest, width);
        }
    }

    /// <summary>Elements to the row that is fetched while this one is copied: pieces of rows are too short for the processor to see that more follow.</summary>
    private static long AheadOf(int row, int length, int stride)
    {
        const int Rows = 8;
        return row + Rows + 4 <= length ? (long)Rows * stride : 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch(float* from)
    {
        if (Sse.IsSupported) Sse.Prefetch0(from);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy12(float* from, float* to)
    {
        Vector256.Load(from).Store(to);
        Vector128.Load(from + 8).Store(to + 8);
    }

    private static void CopyPart(float* from, float* to, int count, int width)
    {
        new ReadOnlySpan<float>(from, count).CopyTo(new(to, count));
        new Span<float>(to + count, width - count).Clear();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy(float* from, float* to, int count)
    {
        int i = 0;
        if (Vector512.IsHardwareAccelerated)
        {
            for (; i + 16 <= count; i += 16) Vector512.Load(from + i).Store(to + i);
        }
        for (; i + Vector<float>.Count <= count; i += Vector<float>.Count) *(Vector<float>*)(to + i) = *(Vector<float>*)(from + i);
        for (; i < count; i++) to[i] = from[i];
    }

    private static void Column(float* from, int length, int width, float* to)
    {
        for (int p = 0; p < length; p++) to[p * width] = from[p];
    }

    /// <summary>Eight rows of four from four rows of eight.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose4x8(float* from, int stride, float* to, int width)
    {
        Vector256<float> r0 = Vector256.Load(from), r1 = Vector256.Load(from + stride), r2 = Vector256.Load(from + 2L * stride), r3 = Vector256.Load(from + 3L * stride);
        Vector256<double> low01 = Avx.UnpackLow(r0, r1).AsDouble(), high01 = Avx.UnpackHigh(r0, r1).AsDouble();
        Vector256<double> low23 = Avx.UnpackLow(r2, r3).AsDouble(), high23 = Avx.UnpackHigh(r2, r3).AsDouble();
        Vector256<float> c0 = Avx.UnpackLow(low01, low23).AsSingle(), c1 = Avx.UnpackHigh(low01, low23).AsSingle();
        Vector256<float> c2 = Avx.UnpackLow(high01, high23).AsSingle(), c3 = Avx.UnpackHigh(high01, high23).AsSingle();
        c0.GetLower().Store(to);
        c1.GetLower().Store(to + width);
        c2.GetLower().Store(to + 2 * width);
        c3.GetLower().Store(to + 3 * width);
        to += 4 * width;
        c0.GetUpper().Store(to);
        c1.GetUpper().Store(to + width);
        c2.GetUpper().Store(to + 2 * width);
        c3.GetUpper().Store(to + 3 * width);
    }
}
