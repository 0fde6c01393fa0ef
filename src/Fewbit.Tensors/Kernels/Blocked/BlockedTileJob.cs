using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>A chunk is one panel of output blocks and a range of output pixels of one image.</summary>
internal readonly unsafe struct BlockedTileJob : IJob
{
    // Chunks of some ten microseconds, or fewer so that two threads end together; a chunk reads its weights once for all its pixels.
    private const int ChunkProducts = 1 << 20, LeastProducts = 1 << 17, FewChunks = 48, LeastPixels = 16;
    private const int RangeFloats = 32 << 10;

    private readonly Conv2DShape _shape;
    private readonly TileSum _sum;
    private readonly float* _x, _packed, _y;
    private readonly BlockedEpilogue _epilogue;
    private readonly int _panels, _pixels, _pixelChunks;
    private readonly bool _isPixelMajor;

    public BlockedTileJob(in Conv2DShape shape, in TileSum sum, float* x, float* packed, in BlockedEpilogue epilogue, float* y)
    {
        (_shape, _sum, _epilogue) = (shape, sum, epilogue);
        _x = x;
        _packed = packed;
        _y = y;
        _panels = TilePanels.Count(shape, sum);
        _pixels = shape.OutPlane;
        long products = TilePanels.Products(shape, sum) / _panels;
        long work = products * _pixels * _panels * shape.Batch, chunks = Math.Clamp(work / LeastProducts, 1, Math.Max(FewChunks, work / ChunkProducts));
        _pixelChunks = (int)Math.Clamp(chunks / (_panels * shape.Batch), 1, (_pixels + LeastPixels - 1) / LeastPixels);
        _isPixelMajor = (long)shape.InChannels * shape.InPlane > products / TileSum.Block * _panels;
    }

    public int Chunks => _shape.Batch * _panels * _pixelChunks;

    public void Run(int chunk)
    {
        int batch = chunk / (_panels * _pixelChunks), rest = chunk % (_panels * _pixelChunks);
        int part = _isPixelMajor ? rest / _panels : rest % _pixelChunks, panel = _isPixelMajor ? rest % _panels : rest / _pixelChunks;
        Multiply(((TilePanel*)_packed)[panel], batch, (int)((long)_pixels * part / _pixelChunks), (int)((long)_pixels * (part + 1) / _pixelChunks));
    }

    /// <summary>Sums range by range of segments, so that the weights of a range stay in the cache for all tiles; y holds the sums between ranges.</summary>
    private void Multiply(in TilePanel panel, int batch, int firstPixel, int endPixel)
    {
        int segmentFloats = _sum.Taps * _sum.Steps * panel.Blocks * TileSum.Block, segmentsPerRange = Math.Max(1, RangeFloats / segmentFloats);
        int tiles = (endPixel - firstPixel + TileKernel.MostPixels(panel.Blocks) - 1) / TileKernel.MostPixels(panel.Blocks);
        int smallest = (endPixel - firstPixel) / tiles, larger = (endPixel - firstPixel) % tiles;
        int offsetInts = _sum.Taps * TileSum.Block, zeroFloats = (_sum.Steps + panel.Blocks * TileSum.Block + 15) / 16 * 16;
        int* offsets = (int*)ThreadScratch.Get((offsetInts + zeroFloats) * sizeof(float) + panel.Segments * (long)sizeof(long));
        float* zeros = (float*)(offsets + offsetInts);
        new Span<float>(zeros, zeroFloats).Clear();
        long* segments = (long*)(zeros + zeroFloats);
        for (int s = 0; s < panel.Segments; s++) segments[s] = _sum.SegmentBytes(panel.FirstSegment + s);

        int outBlocks = (_shape.OutChannels + TileSum.Block - 1) / TileSum.Block;
        byte* image = (byte*)(_x + batch * _sum.ImageFloats);
        long at = ((long)batch * outBlocks + panel.FirstBlock) * _pixels * TileSum.Block;
        var task = new TileTask
        {
            Image = image,
            Offsets = offsets,
            OffsetsEnd = offsets + offsetInts,
            Zeros = zeros,
            BlockBytes = (long)_pixels * TileSum.Block * sizeof(float),
        };
        for (int first = 0; first < panel.Segments; first += segmentsPerRange)
        {
            int end = Math.Min(first + segmentsPerRange, panel.Segments);
            task.Segments = segments + first;
            task.SegmentsEnd = segments + end;
            task.Weights = _packed + panel.Weights + (long)first * segmentFloats;
            task.Bias = first == 0 && _epilogue.Bias != null ? _epilogue.Bias + panel.FirstBlock * TileSum.Block : zeros;
            task.End = new(end == panel.Segments ? _epilogue.Activation : Activation.None);
            float* start = first == 0 ? _epilogue.Residual : _y;
            if (_sum.IsFlat) _sum.FillOffsets(0, offsets);
            for (int tile = 0, pixel = firstPixel; tile < tiles; tile++)
            {
                int size = smallest + (tile < larger ? 1 : 0);
                long pixelAt = at + (long)pixel * TileSum.Block;
                if (_sum.IsFlat) task.Image = image + (long)pixel * _sum.PixelBytes;
                else _sum.FillOffsets(pixel, offsets);
                task.Y = _y + pixelAt;
                task.Start = start == null ? null : start + pixelAt;
                TileKernel.Run(&task, panel.Blocks, size, _sum.Steps);
                pixel += size;
            }
        }
    }
}
