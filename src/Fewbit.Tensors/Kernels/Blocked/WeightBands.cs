namespace Fewbit.Tensors.Kernels;

/// <summary>Output blocks by input blocks whose tiles are summed by one chunk.</summary>
internal readonly record struct BlockRectangle(int FirstOut, int EndOut, int FirstIn, int EndIn)
{
    public int Count => (EndOut - FirstOut) * (EndIn - FirstIn);

    public int OutBlock(int tile) => FirstOut + tile / (EndIn - FirstIn);

    public int InBlock(int tile) => FirstIn + tile % (EndIn - FirstIn);
}

/// <summary>How a weight gradient is split, by its shape alone: into rectangles of blocks, parts of the pixels, and bands in these.</summary>
internal readonly struct WeightBands
{
    private const int Lanes = ChannelBlocks.Width;
    private const int TileBytes = 192 << 10; // sums of a chunk, in the second-level cache
    private const int MostOutBlocks = 8, MostInBlocks = 12; // sides of a rectangle, whose bands are in the second-level cache too
    private const int FewChunks = 16;
    private const long MostPartsBytes = 16 << 20;

    private readonly PixelBands _bands;
    private readonly int _outSide, _inSide, _inRectangles;

    public WeightBands(in Conv2DShape shape)
    {
        Sums = new(shape);
        _bands = new(shape);
        int tiles = Math.Max(1, TileBytes / sizeof(float) / Sums.TileFloats), side = Math.Clamp((int)Math.Sqrt(tiles), 1, MostOutBlocks);
        _outSide = Math.Min(side, Sums.OutBlocks);
        _inSide = Math.Clamp(tiles / _outSide, 1, Math.Min(MostInBlocks, Sums.InBlocks));
        int outRectangles = (Sums.OutBlocks + _outSide - 1) / _outSide, most = 0;
        for (int i = 0; i < outRectangles; i++)
        {
            (int first, int end) = Sums.InBlocksOf(i * _outSide, Math.Min((i + 1) * _outSide, Sums.OutBlocks));
            most = Math.Max(most, end - first);
        }
        _inRectangles = (most + _inSide - 1) / _inSide;
        Rectangles = outRectangles * _inRectangles;
        long partBytes = PartFloats * sizeof(float);
        Parts = (int)Math.Clamp(Math.Min(FewChunks / Rectangles, MostPartsBytes / partBytes), 1, _bands.Count);
    }

    public WeightSums Sums { get; }

    public int OutWidth => _bands.OutWidth;

    /// <summary>Parts of the pixels, each with sums of its own.</summary>
    public int Parts { get; }

    public int Rectangles { get; }

    public int Chunks => Parts * Rectangles;

    public int TilesOfRectangle => _outSide * _inSide;

    public long RectangleFloats => (long)TilesOfRectangle * Sums.TileFloats;

    public long PartFloats => Rectangles * RectangleFloats;

    public long PartsBytes => Parts == 1 ? 0 : Parts * PartFloats * sizeof(float);

    /// <summary>Products of a tap and a pixel.</summary>
    public long Products
    {
        get
        {
            long products = 0;
            for (int block = 0; block < Sums.OutBlocks; block++)
            {
                (int first, int end) = Sums.InBlocksOf(block, block + 1);
                products += (long)(end - first) * Lanes * Lanes;
            }
            return products;
        }
    }

    public int FirstBandOf(int part) => _bands.FirstOf(part, Parts);

    public PixelBand BandOf(int band) => _bands[band];

    /// <summary>The blocks of a rectangle; none where the groups of its outputs read fewer blocks than others.</summary>
    public BlockRectangle RectangleOf(int rectangle)
    {
        int firstOut = rectangle / _inRectangles * _outSide, endOut = Math.Min(firstOut + _outSide, Sums.OutBlocks);
        (int first, int end) = Sums.InBlocksOf(firstOut, endOut);
        int firstIn = Math.Min(first + rectangle % _inRectangles * _inSide, end);
        return new(firstOut, endOut, firstIn, Math.Min(firstIn + _inSide, end));
    }

    /// <summary>Whether a group has channels in both blocks.</summary>
    public bool Share(int outBlock, int inBlock)
    {
        (int first, int end) = Sums.InBlocksOf(outBlock, outBlock + 1);
        return inBlock >= first && inBlock < end;
    }
}
