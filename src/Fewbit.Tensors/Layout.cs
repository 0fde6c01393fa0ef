namespace Fewbit.Tensors;

/// <summary>How the elements of a tensor lie in memory. The shape stays the logical one.</summary>
public enum Layout
{
    /// <summary>Dense, last dimension fastest.</summary>
    RowMajor = 0,
    /// <summary>[N, C/16, H, W, 16] for a logical [N, C, H, W]: channels in blocks of 16, the last block padded with zeros.</summary>
    ChannelBlocks16 = 1,
}
