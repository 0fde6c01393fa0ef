using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators;

/// <summary>How queries are cut into blocks whose scores stay in the cache.</summary>
internal static class AttentionBlocks
{
    /// <summary>Queries at a time where later keys are hidden: the fewer, the fewer products are computed in vain.</summary>
    public const int RowsWhereLaterIsHidden = 48;

    /// <summary>Whole panels of the kernel with the tallest tile, so that the scores fit.</summary>
    public static int Rows(int maxScores, int keys, int most) => Math.Clamp(maxScores / Math.Max(1, keys) / 12 * 12, 12, most);

    /// <summary>Whether a block of queries need not look at keys behind its last query. Packed keys and values can be cut there while they are one block of the inner dimension.</summary>
    public static bool HidesLater(Attention op, AttentionShape shape, bool hasLengths) =>
        op.IsCausal && !hasLengths && shape.Past == 0 && shape.Total <= PackedMatrix.MaxBlock && shape.HeadSize <= PackedMatrix.MaxBlock && shape.ValueSize <= PackedMatrix.MaxBlock;
}
