namespace Fewbit.Tensors.Kernels;

/// <summary>A weight gradient by outer products: its parts consist of bands of pixels.</summary>
internal readonly struct WeightBands
{
    private const int TileBytes = 192 << 10; // sums of a chunk, in the second-level cache
    private const int MostOutBlocks = 8, MostInBlocks = 12; // sides of a rectangle, whose bands are in the second-level cache too
    private const int FewChunks = 16;

    private readonly PixelBands _bands;

    public WeightBands(in Conv2DShape shape)
    {
        _bands = new(shape);
        var sums = new WeightSums(shape);
        int tiles = Math.Max(1, TileBytes / sizeof(float) / sums.TileFloats), outSide = Math.Min(Math.Clamp((int)Math.Sqrt(tiles), 1, MostOutBlocks), sums.OutBlocks);
        Parts = new(shape, outSide, Math.Clamp(tiles / outSide, 1, MostInBlocks), FewChunks, _bands.Count);
    }

    public WeightParts Parts { get; }

    public int OutWidth => _bands.OutWidth;

    public int FirstBandOf(int part) => _bands.FirstOf(part, Parts.Count);

    public PixelBand BandOf(int band) => _bands[band];
}
