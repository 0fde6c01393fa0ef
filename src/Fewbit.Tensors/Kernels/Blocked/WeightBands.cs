namespace Fewbit.Tensors.Kernels;

/// <summary>Output pixels that are taken together: whole images, or some rows of one.</summary>
internal readonly record struct PixelBand(int FirstImage, int EndImage, int FirstRow, int EndRow);

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
    private const int BandBytes = 24 << 10; // a block of x and a block of dy in a first-level cache of 32 KiB
    private const int TileBytes = 192 << 10; // sums of a chunk, in the second-level cache
    private const int MostBlocks = 8; // on a side of a rectangle, whose bands are in the second-level cache too
    private const int FewChunks = 16;
    private const long MostPartsBytes = 16 << 20;

    private readonly Conv2DShape _shape;
    private readonly int _bandRows, _bandImages, _rowBands, _bands, _outSide, _inSide, _inRectangles;

    public WeightBands(in Conv2DShape shape)
    {
        _shape = shape;
        Sums = new(shape);
        OutWidth = shape.OutWidth;
        int pixels = Math.Max(1, BandBytes / (Lanes * sizeof(float)) / (1 + Math.Min(shape.StrideHeight, shape.KernelHeight) * Math.Min(shape.StrideWidth, shape.KernelWidth)));
        _bandRows = Math.Clamp(pixels / OutWidth, 1, shape.OutHeight);
        _bandImages = Math.Clamp(pixels / shape.OutPlane, 1, shape.Batch);
        _rowBands = (shape.OutHeight + _bandRows - 1) / _bandRows;
        _bands = (shape.Batch + _bandImages - 1) / _bandImages * _rowBands;
        int tiles = Math.Max(1, TileBytes / sizeof(float) / Sums.TileFloats), side = Math.Clamp((int)Math.Sqrt(tiles), 1, MostBlocks);
        _outSide = Math.Min(side, Sums.OutBlocks);
        _inSide = Math.Clamp(tiles / _outSide, 1, Math.Min(MostBlocks, Sums.InBlocks));
        int outRectangles = (Sums.OutBlocks + _outSide - 1) / _outSide, most = 0;
        for (int i = 0; i < outRectangles; i++)
        {
            (int first, int end) = Sums.InBlocksOf(i * _outSide, Math.Min((i + 1) * _outSide, Sums.OutBlocks));
            most = Math.Max(most, end - first);
        }
        _inRectangles = (most + _inSide - 1) / _inSide;
        Rectangles = outRectangles * _inRectangles;
        long partBytes = PartFloats * sizeof(float);
        Parts = (int)Math.Clamp(Math.Min(FewChunks / Rectangles, MostPartsBytes / partBytes), 1, _bands);
    }

    public WeightSums Sums { get; }

    public int OutWidth { get; }

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

    public int FirstBandOf(int part) => (int)((long)_bands * part / Parts);

    public PixelBand BandOf(int band)
    {
        int image = band / _rowBands * _bandImages, row = band % _rowBands;
        return new(image, Math.Min(image + _bandImages, _shape.Batch), row * _bandRows, Math.Min((row + 1) * _bandRows, _shape.OutHeight));
    }

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
