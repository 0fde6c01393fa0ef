namespace Fewbit.Tensors.Kernels;

/// <summary>How the tiles of a convolution are numbered (image, row, column), grouped and held in scratch.</summary>
internal readonly struct WinogradTiling<TTile> where TTile : struct, IWinogradTile
{
    private const int Lanes = ChannelBlocks.Width;
    private const int InputBytesPerGroup = 400 << 10; // with products and weights in a second-level cache of 1 MiB
    private const int MostTilesPerGroup = 48;
    private const int FewGroups = 4;

    /// <summary>Tiles whose products wait for the output transform at a time, at most.</summary>
    public const int ProductTiles = 24;

    public WinogradTiling(in Conv2DShape shape)
    {
        InBlocks = BlockedWinogradConv2D.Blocks(shape.InChannels);
        OutBlocks = BlockedWinogradConv2D.Blocks(shape.OutChannels);
        Rows = (shape.OutHeight + TTile.Outputs - 1) / TTile.Outputs;
        Columns = (shape.OutWidth + TTile.Outputs - 1) / TTile.Outputs;
        Tiles = shape.Batch * Rows * Columns;
        int tiles = Math.Clamp(InputBytesPerGroup / (Points * InBlocks * Lanes * sizeof(float)), WinogradProducts.MaxTiles, MostTilesPerGroup);
        Groups = (Tiles + tiles - 1) / tiles;
        IsShared = Groups < FewGroups;
        if (IsShared) Groups = 1;
        TilesPerGroup = (Tiles + Groups - 1) / Groups;
    }

    public static int Points => (TTile.Outputs + 2) * (TTile.Outputs + 2);

    public int InBlocks { get; }

    public int OutBlocks { get; }

    /// <summary>Blocks of output channels as the kernels take them.</summary>
    public int OutPairs => (OutBlocks + WinogradProducts.MaxBlocks - 1) / WinogradProducts.MaxBlocks;

    /// <summary>Tiles down a plane.</summary>
    public int Rows { get; }

    /// <summary>Tiles across a plane.</summary>
    public int Columns { get; }

    public int Tiles { get; }

    public int Groups { get; }

    public int TilesPerGroup { get; }

    /// <summary>Few tiles and many channels: all threads share the transformed inputs, and split the output channels.</summary>
    public bool IsShared { get; }

    public long SharedBytes => IsShared ? InputFloats * sizeof(float) : 0;

    /// <summary>From point to point of the transformed inputs [point][block][tile][16]: an odd number of vectors, so that the points of a tile spread over the cache.</summary>
    public int PointStep => ((InBlocks * TilesPerGroup) | 1) * Lanes;

    public long InputFloats => (long)Points * PointStep;

    /// <summary>[block of a pair][tile][point][16].</summary>
    public static long ProductFloats => (long)WinogradProducts.MaxBlocks * ProductTiles * Points * Lanes;

    public (int First, int Count) Group(int group)
    {
        int first = (int)((long)Tiles * group / Groups);
        return (first, (int)((long)Tiles * (group + 1) / Groups) - first);
    }
}
