using System.Runtime.CompilerServices;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>One operand of a matrix product in the order in which the inner loop reads it. The memory is the caller's.</summary>
/// <remarks>
/// The inner dimension (K) is cut into blocks; in a block, panels of <see cref="Panel"/> rows (left operand) or columns (right operand) lie one after the other,
/// [inner, Panel] each, padded with zeros. A left operand is packed with <see cref="Side.Left"/>, a right one with <see cref="Side.Right"/>.
/// </remarks>
internal readonly unsafe struct PackedMatrix
{
    /// <summary>Longest block of the inner dimension: a panel of the right operand stays near the second half of the first-level cache.</summary>
    public const int MaxBlock = 384;

    public enum Side
    {
        Left,
        Right,
    }

    private PackedMatrix(float* data, int outer, int inner, int panel, KernelPath path)
    {
        Data = data;
        Outer = outer;
        Inner = inner;
        Panel = panel;
        Path = path;
    }

    public readonly float* Data;
    public readonly int Outer;
    public readonly int Inner;
    public readonly int Panel;
    public readonly KernelPath Path;

    /// <summary>Bytes that a packed operand takes: outer is M of the left or N of the right operand, inner is K.</summary>
    public static long Bytes(Side side, int outer, int inner)
    {
        int panel = PanelOf(FloatKernel.Active, side);
        return (long)PanelCount(outer, panel) * panel * Math.Max(inner, 1) * sizeof(float);
    }

    /// <summary>Packs op(X): <paramref name="transposed"/> says that X is stored [inner, outer] for the left or [outer, inner] for the right operand.</summary>
    /// <param name="side">Which operand.</param>
    /// <param name="source">X, row-major.</param>
    /// <param name="stride">Elements between two rows of X.</param>
    /// <param name="transposed">Whether op(X) is X transposed.</param>
    /// <param name="outer">M of the left operand, N of the right one.</param>
    /// <param name="inner">K.</param>
    /// <param name="destination"><see cref="Bytes"/> bytes, aligned to 64.</param>
    public static PackedMatrix Pack(Side side, float* source, int stride, bool transposed, int outer, int inner, float* destination)
    {
        FloatKernel kernel = FloatKernel.Active;
        PackedMatrix packed = Over(side, outer, inner, destination, kernel);
        var job = new PackJob(packed, source, stride, InnerIsContiguous(side, transposed), 0, packed.BlockCount);
        Workers.Run(job.Chunks, ref job);
        return packed;
    }

    /// <summary>Names memory that already holds (or will hold) a packed operand.</summary>
    public static PackedMatrix Over(Side side, int outer, int inner, float* data, FloatKernel kernel) =>
        new(data, outer, inner, PanelOf(kernel, side), kernel.Path);

    /// <summary>Blocks of the inner dimension; 1 when it is empty.</summary>
    public int BlockCount => BlocksOf(Inner);

    public int PanelTotal => PanelCount(Outer, Panel);

    public int BlockStart(int block) => Math.Min(block * BlockLengthOf(Inner), Inner);

    public int BlockSize(int block) => BlockStart(block + 1) - BlockStart(block);

    public float* PanelAt(int block, int panel) => Data + (long)BlockStart(block) * PanelTotal * Panel + (long)panel * Panel * BlockSize(block);

    internal static int BlocksOf(int inner) => Math.Max(1, (inner + MaxBlock - 1) / MaxBlock);

    internal static int BlockLengthOf(int inner) => (inner + BlocksOf(inner) - 1) / BlocksOf(inner);

    internal static int PanelCount(int outer, int panel) => (outer + panel - 1) / panel;

    internal static bool InnerIsContiguous(Side side, bool transposed) => side == Side.Left ? !transposed : transposed;

    private static int PanelOf(FloatKernel kernel, Side side) => side == Side.Left ? kernel.Rows : kernel.Columns;
}

/// <summary>Packs a range of blocks; a chunk is a few panels of one block.</summary>
internal readonly unsafe struct PackJob(PackedMatrix packed, float* source, int stride, bool innerIsContiguous, int firstBlock, int blocks) : IJob
{
    private readonly int _panelsPerChunk = Math.Max(1, 32768 / (packed.Panel * Math.Max(1, PackedMatrix.BlockLengthOf(packed.Inner))));

    private int ChunksPerBlock => (packed.PanelTotal + _panelsPerChunk - 1) / _panelsPerChunk;

    public int Chunks => ChunksPerBlock * blocks;

    public void Run(int chunk)
    {
        int block = firstBlock + chunk / ChunksPerBlock;
        int first = chunk % ChunksPerBlock * _panelsPerChunk;
        int last = Math.Min(first + _panelsPerChunk, packed.PanelTotal);
        for (int panel = first; panel < last; panel++) PackPanel(block, panel);
    }

    private void PackPanel(int block, int panel)
    {
        int width = packed.Panel, start = packed.BlockStart(block), length = packed.BlockSize(block);
        int outer = panel * width, count = Math.Min(width, packed.Outer - outer);
        float* to = packed.PanelAt(block, panel);
        if (innerIsContiguous) Panels.PackRows(source + (long)outer * stride + start, stride, count, length, width, to);
        else Panels.PackColumns(source + (long)start * stride + outer, stride, count, length, width, to);
    }
}

/// <summary>Copies into one panel [length, width], zeros after <c>count</c>.</summary>
internal static unsafe class Panels
{
    /// <summary>The panel is the transpose of count rows of the source.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PackRows(float* source, int stride, int count, int length, int width, float* to)
    {
        if (count < width) new Span<float>(to, length * width).Clear();
        int r = 0;
        for (; r + 4 <= count; r += 4)
        {
            float* s0 = source + (long)r * stride, s1 = s0 + stride, s2 = s1 + stride, s3 = s2 + stride;
            float* t = to + r;
            for (int p = 0; p < length; p++, t += width)
            {
                t[0] = s0[p];
                t[1] = s1[p];
                t[2] = s2[p];
                t[3] = s3[p];
            }
        }
        for (; r < count; r++)
        {
            float* s = source + (long)r * stride;
            for (int p = 0; p < length; p++) to[p * width + r] = s[p];
        }
    }

    /// <summary>Each row of the panel is a piece of a row of the source.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PackColumns(float* source, int stride, int count, int length, int width, float* to)
    {
        for (int p = 0; p < length; p++, source += stride, to += width)
        {
            new ReadOnlySpan<float>(source, count).CopyTo(new Span<float>(to, width));
            if (count < width) new Span<float>(to + count, width - count).Clear();
        }
    }
}
