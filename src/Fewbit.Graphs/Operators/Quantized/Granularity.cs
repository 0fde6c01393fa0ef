using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>Which elements of a tensor share a scale: runs of elements along an axis.</summary>
/// <param name="Outer">Product of the lengths before the axis.</param>
/// <param name="Length">Length of the axis.</param>
/// <param name="Inner">Product of the lengths behind the axis.</param>
/// <param name="BlockSize">Elements along the axis that share a scale; the length itself for one scale per tensor.</param>
/// <param name="IsBlocked">Whether positions before and behind the axis have scales of their own.</param>
internal readonly record struct Granularity(long Outer, long Length, long Inner, long BlockSize, bool IsBlocked)
{
    /// <summary>Elements that lie side by side and share a scale.</summary>
    public long Run => IsBlocked ? 1 : Inner * BlockSize;

    /// <summary>The rule of QuantizeLinear and DequantizeLinear: one scale; one for each position of an axis; or a scale tensor of the same rank.</summary>
    public static Granularity Of(Node node, Shape x, Shape scale, long axis, long blockSize)
    {
        if (scale.ElementCount == 1 && blockSize == 0) return new(1, 1, x.ElementCount, 1, false);
        int at = node.Axis(axis, x.Rank);
        (long outer, long length, long inner) = (x.CountOf(0, at), x[at], x.CountOf(at + 1, x.Rank));
        if (blockSize == 0)
        {
            node.Expect(scale.Rank == 1 && scale[0] == length, $"the scale has shape {scale}, expected one value or [{length}] (x is {x}, axis {at})");
            return new(outer, length, inner, 1, false);
        }
        Shape expected = x.With(at, (length + blockSize - 1) / blockSize);
        node.Expect(blockSize > 0 && scale == expected, $"the scale has shape {scale}, expected {expected} (x is {x}, axis {at}, block_size {blockSize})");
        return new(outer, length, inner, blockSize, true);
    }

    /// <summary>Index of the scale of the element at <paramref name="index"/>.</summary>
    public long ScaleOf(long index)
    {
        long position = index / Inner % Length;
        if (!IsBlocked) return position / BlockSize;
        long blocks = (Length + BlockSize - 1) / BlockSize;
        return (index / (Inner * Length) * blocks + position / BlockSize) * Inner + index % Inner;
    }
}
