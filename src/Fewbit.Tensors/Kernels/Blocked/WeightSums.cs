using System.Runtime.Intrinsics;

namespace Fewbit.Tensors.Kernels;

/// <summary>Where the sums of a weight gradient go: tiles [channel of the block][tap][16 outputs], one for each pair of an output block and an input block that share a group.</summary>
internal readonly unsafe struct WeightSums(Conv2DShape shape)
{
    private const int Lanes = ChannelBlocks.Width;
    private readonly Conv2DShape _shape = shape;

    /// <summary>Blocks of input channels and of output channels.</summary>
    public int InBlocks { get; } = (shape.InChannels + Lanes - 1) / Lanes;

    public int OutBlocks { get; } = (shape.OutChannels + Lanes - 1) / Lanes;

    public int TileFloats => _shape.Taps * Lanes * Lanes;

    /// <summary>The input blocks that the groups of some output blocks read.</summary>
    public (int First, int End) InBlocksOf(int firstBlock, int endBlock)
    {
        int firstGroup = firstBlock * Lanes / _shape.GroupOutChannels, lastGroup = (Math.Min(endBlock * Lanes, _shape.OutChannels) - 1) / _shape.GroupOutChannels;
        return (firstGroup * _shape.GroupInChannels / Lanes, ((lastGroup + 1) * _shape.GroupInChannels + Lanes - 1) / Lanes);
    }

    /// <summary>Writes a tile to dw [M, C / groups, taps].</summary>
    public void Store(float* tile, int outBlock, int inBlock, float* dw)
    {
        int firstOutput = outBlock * Lanes, endOutput = Math.Min(firstOutput + Lanes, _shape.OutChannels), endChannel = Math.Min((inBlock + 1) * Lanes, _shape.InChannels);
        for (int output = firstOutput, next; output < endOutput; output = next)
        {
            int group = output / _shape.GroupOutChannels, groupChannel = group * _shape.GroupInChannels;
            next = Math.Min((group + 1) * _shape.GroupOutChannels, endOutput);
            int first = Math.Max(groupChannel, inBlock * Lanes), end = Math.Min(groupChannel + _shape.GroupInChannels, endChannel);
            if (first >= end) continue;
            float* from = tile + (first - inBlock * Lanes) * _shape.Taps * Lanes + (output - firstOutput), to = dw + (long)output * _shape.Inner + (long)(first - groupChannel) * _shape.Taps;
            int rows = (end - first) * _shape.Taps;
            for (int row = 0; row < rows; row += Lanes)
            {
                int count = Math.Min(Lanes, rows - row);
                SquareTranspose.Run(from + row * Lanes, Lanes, count, next - output, to + row, _shape.Inner, count);
            }
        }
    }

    /// <summary>sums += the sums of another part.</summary>
    public static void Add(float* sums, float* part, long floats)
    {
        for (long i = 0; i < floats; i += Lanes) (Vector512.Load(sums + i) + Vector512.Load(part + i)).Store(sums + i);
    }
}
