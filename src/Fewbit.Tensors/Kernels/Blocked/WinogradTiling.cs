namespace Fewbit.Tensors.Kernels;

/// <summary>How the tiles of a convolution are numbered (image, row, column), and split into chunks of work.</summary>
internal readonly struct WinogradTiling<TTile> where TTile : struct, IWinogradTile
{
    private const int Lanes = ChannelBlocks.Width;
    private const int InputBytesPerGroup = 620 << 10; // beside products and weights in a second-level cache of 1 MiB
    private const int FewestTilesPerGroup = 12, MostTilesPerGroup = 36;

    public WinogradTiling(in Conv2DShape shape)
    {
        InBlocks = BlockedWinogradConv2D.Blocks(shape.InChannels);
        OutBlocks = BlockedWinogradConv2D.Blocks(shape.OutChannels);
        Rows = TilesOf(shape.OutHeight);
        Columns = TilesOf(shape.OutWidth);
        Tiles = shape.Batch * Rows * Columns;
        int tiles = Math.Clamp(InputBytesPerGroup / (Points * InBlocks * Lanes * sizeof(float)), FewestTilesPerGroup, MostTilesPerGroup);
        Groups = (Tiles + tiles - 1) / tiles;
        if (Groups > 1) Groups += Groups % 2; // two threads end together
        TilesPerGroup = (Tiles + Groups - 1) / Groups;
        Parts = Groups < 4 && OutPairs > 1 ? 2 : 1;
    }

    /// <summary>The squares that the tiles of a convolution read.</summary>
    public static unsafe WinogradSquares Inputs(in Conv2DShape shape, float* x) =>
        new(x, BlockedWinogradConv2D.Blocks(shape.InChannels), shape.InHeight, shape.InWidth, shape.PadTop, shape.PadLeft, TilesOf(shape.OutHeight), TilesOf(shape.OutWidth), TTile.Outputs + 2, TTile.Outputs);

    /// <summary>The squares of the outputs.</summary>
    public static unsafe WinogradSquares Outputs(in Conv2DShape shape, float* y) =>
        new(y, BlockedWinogradConv2D.Blocks(shape.OutChannels), shape.OutHeight, shape.OutWidth, 0, 0, TilesOf(shape.OutHeight), TilesOf(shape.OutWidth), TTile.Outputs, TTile.Outputs);

    /// <summary>Tiles along a side of the output.</summary>
    public static int TilesOf(int outputs) => (outputs + TTile.Outputs - 1) / TTile.Outputs;

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

    /// <summary>Parts that the output channels of a group are split into where groups are few. Each transforms the inputs again: sharing them between cores is slower.</summary>
    public int Parts { get; }

    /// <summary>From point to point of the transformed inputs [point][block][tile][16]: an odd number of vectors, so that the points of a tile spread over the cache.</summary>
    public int PointStep => ((InBlocks * TilesPerGroup) | 1) * Lanes;

    public long InputFloats => (long)Points * PointStep;

    /// <summary>[block of a pair][tile][point][16].</summary>
    public long ProductFloats => (long)WinogradProducts.MaxBlocks * TilesPerGroup * Points * Lanes;

    public (int First, int Count) Group(int group)
    {
        int first = (int)((long)Tiles * group / Groups);
        return (first, (int)((long)Tiles * (group + 1) / Groups) - first);
    }
}
