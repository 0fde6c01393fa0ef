namespace Fewbit.Tensors.Kernels;

/// <summary>The tiles of one convolution: everything that its chunks share.</summary>
internal readonly unsafe struct TileWork
{
    private const int RangeFloats = 32 << 10;

    private readonly TileSum _sum;
    private readonly float* _packed, _y;
    private readonly BlockedEpilogue _epilogue;
    private readonly int _pixels, _outBlocks;

    /// <param name="shape">The convolution.</param>
    /// <param name="sum">How a pixel's sum walks through the input, or through the part of it that a chunk has copied.</param>
    /// <param name="packed">From <see cref="TilePanels"/>.</param>
    /// <param name="epilogue">What follows.</param>
    /// <param name="y">The whole output.</param>
    public TileWork(in Conv2DShape shape, in TileSum sum, float* packed, in BlockedEpilogue epilogue, float* y)
    {
        (_sum, _epilogue) = (sum, epilogue);
        _packed = packed;
        _y = y;
        _pixels = shape.OutPlane;
        _outBlocks = (shape.OutChannels + TileSum.Block - 1) / TileSum.Block;
    }

    private int OffsetInts => _sum.Taps * TileSum.Block;

    private int ZeroFloats => (_sum.Steps + TileKernel.MostBlocks * TileSum.Block + 15) / 16 * 16;

    /// <summary>Bytes of working memory of a multiplication.</summary>
    public long ScratchBytes => (OffsetInts + ZeroFloats) * sizeof(float) + _sum.Segments * (long)sizeof(long);

    /// <summary>Blocks of a panel.</summary>
    public int BlocksOf(int panel) => ((TilePanel*)_packed)[panel].Blocks;

    /// <summary>The first block of a panel.</summary>
    public int FirstBlockOf(int panel) => ((TilePanel*)_packed)[panel].FirstBlock;

    /// <summary>Computes the output blocks of a panel at a range of pixels.</summary>
    /// <param name="index">The panel.</param>
    /// <param name="batch">Index of the image.</param>
    /// <param name="image">The image of x, or a copy of some rows.</param>
    /// <param name="imagePixel">The output pixel that belongs to the start of <paramref name="image"/>.</param>
    /// <param name="firstPixel">The first output pixel.</param>
    /// <param name="endPixel">Behind the last output pixel.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> bytes.</param>
    public void Multiply(int index, int batch, byte* image, int imagePixel, int firstPixel, int endPixel, void* scratch)
    {
        long at = (((long)batch * _outBlocks + FirstBlockOf(index)) * _pixels + firstPixel) * TileSum.Block;
        Multiply(index, image, imagePixel, firstPixel, endPixel, _y + at, _epilogue.Residual == null ? null : _epilogue.Residual + at, _pixels, scratch);
    }

    /// <summary>The same to another place: <paramref name="y"/> takes the pixels of the range alone, block after block. The residual of the epilogue is left out.</summary>
    public void MultiplyTo(int index, byte* image, int firstPixel, int endPixel, float* y, void* scratch) =>
        Multiply(index, image, 0, firstPixel, endPixel, y, null, endPixel - firstPixel, scratch);

    /// <summary>Sums range by range of segments, so that the weights of a range stay in the cache for all tiles; y holds the sums between ranges.</summary>
    private void Multiply(int index, byte* image, int imagePixel, int firstPixel, int endPixel, float* y, float* residual, int blockPixels, void* scratch)
    {
        TilePanel panel = ((TilePanel*)_packed)[index];
        int segmentFloats = _sum.Taps * _sum.Steps * panel.Blocks * TileSum.Block, segmentsPerRange = Math.Max(1, RangeFloats / segmentFloats);
        int* offsets = (int*)scratch;
        float* zeros = (float*)(offsets + OffsetInts);
        new Span<float>(zeros, ZeroFloats).Clear();
        long* segments = (long*)(zeros + ZeroFloats);
        for (int s = 0; s < panel.Segments; s++) segments[s] = _sum.SegmentBytes(panel.FirstSegment + s);
        var task = new TileTask
        {
            Image = image,
            Offsets = offsets,
            OffsetsEnd = offsets + OffsetInts,
            Zeros = zeros,
            BlockBytes = (long)blockPixels * TileSum.Block * sizeof(float),
        };
        for (int first = 0; first < panel.Segments; first += segmentsPerRange)
        {
            int end = Math.Min(first + segmentsPerRange, panel.Segments);
            task.Segments = segments + first;
            task.SegmentsEnd = segments + end;
            task.Weights = _packed + panel.Weights + (long)first * segmentFloats;
            task.Bias = first == 0 && _epilogue.Bias != null ? _epilogue.Bias + panel.FirstBlock * TileSum.Block : zeros;
            task.End = new(end == panel.Segments ? _epilogue.Activation : Activation.None);
            task.Y = y;
            task.Start = first == 0 ? residual : y;
            Tiles(task, panel.Blocks, image, imagePixel, firstPixel, endPixel);
        }
    }

    private void Tiles(TileTask task, int blocks, byte* image, int imagePixel, int firstPixel, int endPixel)
    {
        int tiles = (endPixel - firstPixel + TileKernel.MostPixels(blocks) - 1) / TileKernel.MostPixels(blocks);
        int smallest = (endPixel - firstPixel) / tiles, larger = (endPixel - firstPixel) % tiles;
        if (_sum.IsFlat) _sum.FillOffsets(0, task.Offsets);
        for (int tile = 0, pixel = firstPixel; tile < tiles; tile++)
        {
            int size = smallest + (tile < larger ? 1 : 0);
            if (_sum.IsFlat) task.Image = image + (long)(pixel - imagePixel) * _sum.PixelBytes;
            else _sum.FillOffsets(pixel - imagePixel, task.Offsets);
            TileKernel.Run(&task, blocks, size, _sum.Steps);
            pixel += size;
            task.Y += size * TileSum.Block;
            if (task.Start != null) task.Start += size * TileSum.Block;
        }
    }
}
