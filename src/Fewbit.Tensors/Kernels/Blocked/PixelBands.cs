namespace Fewbit.Tensors.Kernels;

/// <summary>Output pixels that are taken together: whole images, or some rows of one.</summary>
internal readonly record struct PixelBand(int FirstImage, int EndImage, int FirstRow, int EndRow);

/// <summary>The output pixels of a convolution in bands whose block of x and block of dy lie in the first-level cache.</summary>
internal readonly struct PixelBands
{
    private const int BandBytes = 24 << 10; // of 32 KiB

    private readonly int _rows, _images, _rowBands, _batch, _outHeight;

    public PixelBands(in Conv2DShape shape)
    {
        (OutWidth, _outHeight, _batch) = (shape.OutWidth, shape.OutHeight, shape.Batch);
        int inputs = Math.Min(shape.StrideHeight, shape.KernelHeight) * Math.Min(shape.StrideWidth, shape.KernelWidth), pixels = BandBytes / (ChannelBlocks.Width * sizeof(float)) / (1 + inputs);
        _rows = Math.Clamp(pixels / OutWidth, 1, _outHeight);
        _images = Math.Clamp(pixels / shape.OutPlane, 1, _batch);
        _rowBands = (_outHeight + _rows - 1) / _rows;
        Count = (_batch + _images - 1) / _images * _rowBands;
    }

    public int OutWidth { get; }

    public int Count { get; }

    public PixelBand this[int band]
    {
        get
        {
            int image = band / _rowBands * _images, row = band % _rowBands;
            return new(image, Math.Min(image + _images, _batch), row * _rows, Math.Min((row + 1) * _rows, _outHeight));
        }
    }

    /// <summary>The first band of a part.</summary>
    public int FirstOf(int part, int parts) => (int)((long)Count * part / parts);
}

/// <summary>The rectangle of a band whose inputs under one tap lie in the image.</summary>
internal readonly struct TapPixels
{
    public TapPixels(in Conv2DShape shape, int outWidth, in PixelBand band, int tap)
    {
        int top = tap / shape.KernelWidth * shape.DilationHeight - shape.PadTop, left = tap % shape.KernelWidth * shape.DilationWidth - shape.PadLeft;
        (int firstRow, int endRow) = Inside(top, shape.StrideHeight, shape.InHeight, band.FirstRow, band.EndRow);
        (int firstColumn, int endColumn) = Inside(left, shape.StrideWidth, shape.InWidth, 0, outWidth);
        (Rows, Columns) = (endRow - firstRow, endColumn - firstColumn);
        InPixel = (long)(firstRow * shape.StrideHeight + top) * shape.InWidth + firstColumn * shape.StrideWidth + left;
        OutPixel = (long)firstRow * outWidth + firstColumn;
    }

    public int Rows { get; }

    public int Columns { get; }

    public bool IsEmpty => Rows <= 0 || Columns <= 0;

    /// <summary>The first pixel of x and of y, within their planes.</summary>
    public long InPixel { get; }

    public long OutPixel { get; }

    /// <summary>The outputs in a range whose input start + stride * output lies in the image.</summary>
    private static (int First, int End) Inside(int start, int stride, int length, int first, int end) =>
        (Math.Max(first, start >= 0 ? 0 : (-start + stride - 1) / stride), Math.Min(end, start >= length ? 0 : (length - start + stride - 1) / stride));
}
