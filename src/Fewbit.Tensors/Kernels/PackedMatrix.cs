using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>One operand of a matrix product in the order in which the inner loop reads it. The memory is the caller's.</summary>
/// <remarks>
/// The inner dimension (K) is cut into blocks; in a block, panels of <see cref="Panel"/> rows (left operand) or columns (right operand) lie one after the other,
/// [inner, Panel] each, padded with zeros. A left operand is packed with <see cref="Side.Left"/>, a right one with <see cref="Side.Right"/>.
/// </remarks>
internal readonly unsafe struct PackedMatrix
{
    /// <summary>Longest block of the inner dimension: a panel of the right operand (64 KB) streams from the second-level cache, and sums are written out seldom.</summary>
    public const int MaxBlock = 512;

    public enum Side
    {
        Left,
        Right,
    }

    private PackedMatrix(float* data, int outer, int inner, int blockLength, int panel, KernelPath path)
    {
        Data = data;
        Outer = outer;
        Inner = inner;
        BlockLength = blockLength;
        Panel = panel;
        Path = path;
    }

    public readonly float* Data;
    public readonly int Outer;
    public readonly int Inner;
    public readonly int BlockLength;
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
        PackJob job = PackJob.Of(side, packed, source, stride, transposed, 0);
        Workers.Run(job.Chunks, ref job);
        return packed;
    }

    /// <summary>Names memory that already holds (or will hold) a packed operand.</summary>
    public static PackedMatrix Over(Side side, int outer, int inner, float* data, FloatKernel kernel) =>
        PartOver(side, outer, inner, BlockLengthOf(inner), data, kernel);

    /// <summary>The same for some blocks of a longer inner dimension.</summary>
    public static PackedMatrix PartOver(Side side, int outer, int inner, int blockLength, float* data, FloatKernel kernel) =>
        new(data, outer, inner, blockLength, PanelOf(kernel, side), kernel.Path);

    /// <summary>Blocks of the inner dimension; 1 when it is empty.</summary>
    public int BlockCount => Inner == 0 ? 1 : (Inner + BlockLength - 1) / BlockLength;

    public int PanelTotal => PanelCount(Outer, Panel);

    public int BlockStart(int block) => Math.Min(block * BlockLength, Inner);

    public int BlockSize(int block) => BlockStart(block + 1) - BlockStart(block);

    public float* PanelAt(int block, int panel) => Data + (long)BlockStart(block) * PanelTotal * Panel + (long)panel * Panel * BlockSize(block);

    internal static int BlocksOf(int inner) => Math.Max(1, (inner + MaxBlock - 1) / MaxBlock);

    internal static int BlockLengthOf(int inner) => (inner + BlocksOf(inner) - 1) / BlocksOf(inner);

    internal static int PanelCount(int outer, int panel) => (outer + panel - 1) / panel;

    internal static bool InnerIsContiguous(Side side, bool transposed) => side == Side.Left ? !transposed : transposed;

    private static int PanelOf(FloatKernel kernel, Side side) => side == Side.Left ? kernel.Rows : kernel.Columns;
}
