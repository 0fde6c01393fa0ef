using System.Runtime.Intrinsics;

namespace Fewbit.Tensors.Kernels;

/// <summary>How the sum behind an output pixel walks through the input: segments of input channels, in each of them taps, in each tap steps of consecutive floats.</summary>
/// <remarks>
/// On channel blocks a segment is a block or the part of a block that groups need, and a step is a channel. On padded planes a segment is a plane, a tap is a kernel row, and a step is a kernel column.
/// </remarks>
internal readonly unsafe struct TileSum
{
    /// <summary>Channels of a block, and floats of a vector.</summary>
    public const int Block = 16;

    private readonly Conv2DShape _shape;
    private readonly int _outWidth;
    private readonly long _segmentStride;

    private TileSum(in Conv2DShape shape, int steps, int tapColumns, int segments, int pixelBytes, long segmentStride)
    {
        _shape = shape;
        _outWidth = shape.OutWidth;
        (Steps, TapColumns, Segments, PixelBytes, _segmentStride) = (steps, tapColumns, segments, pixelBytes, segmentStride);
    }

    /// <summary>Consecutive floats of a tap.</summary>
    public int Steps { get; }

    /// <summary>Segments of the whole input.</summary>
    public int Segments { get; }

    public int Taps => _shape.KernelHeight * TapColumns;

    private int TapColumns { get; }

    /// <summary>Bytes of x from one pixel to the next.</summary>
    public int PixelBytes { get; }

    /// <summary>Whether output pixels follow each other as the input pixels do: a 1x1 convolution of every pixel.</summary>
    public bool IsFlat => _shape.IsPointwise;

    /// <summary>Whether steps are input channels (else columns of the kernel).</summary>
    public bool IsBlocked => PixelBytes != sizeof(float);

    /// <summary>Whether the offsets of one segment fit 32 bits.</summary>
    public bool IsAddressable => (long)_shape.InPlane * PixelBytes < int.MaxValue / 2;

    /// <summary>x is [N, C/16, H, W, 16]. Channels that are no whole blocks are read as half blocks, those of groups as quarters too, so that little is multiplied by zeros.</summary>
    public static TileSum OfBlocks(in Conv2DShape shape)
    {
        int width = shape.GroupInChannels, steps = width % 16 == 0 ? 16 : width % 8 == 0 ? 8 : shape.Groups > 1 && width % 4 == 0 ? 4 : 16;
        return new(shape, steps, shape.KernelWidth, (shape.InChannels + steps - 1) / steps, Block * sizeof(float), (long)shape.InPlane * Block * sizeof(float));
    }

    /// <summary>x is one image as padded planes [C, H, W]; the shape has the size of the padded planes and no padding, and its columns are not dilated.</summary>
    public static TileSum OfPaddedPlanes(in Conv2DShape padded) =>
        new(padded, padded.KernelWidth, 1, padded.InChannels, sizeof(float), (long)padded.InPlane * sizeof(float));

    /// <summary>Where a segment starts, in bytes from the start of the image.</summary>
    public long SegmentBytes(int segment)
    {
        if (!IsBlocked) return segment * _segmentStride;
        int perBlock = Block / Steps;
        return segment / perBlock * _segmentStride + segment % perBlock * Steps * sizeof(float);
    }

    /// <summary>Floats of one image of x.</summary>
    public long ImageFloats => (IsBlocked ? (_shape.InChannels + Block - 1) / Block : Segments) * (_segmentStride / sizeof(float));

    /// <summary>For each tap the byte offsets of 16 output pixels from <paramref name="firstPixel"/> on; -1 where the tap lies in the padding.</summary>
    public void FillOffsets(int firstPixel, int* offsets)
    {
        Vector512<int> column = Vector512.Create(firstPixel % _outWidth) + Vector512<int>.Indices, row = Vector512.Create(firstPixel / _outWidth), width = Vector512.Create(_outWidth);
        for (Vector512<int> wraps = Vector512.GreaterThanOrEqual(column, width); wraps != default; wraps = Vector512.GreaterThanOrEqual(column, width))
        {
            column -= wraps & width;
            row -= wraps;
        }
        row = row * _shape.StrideHeight - Vector512.Create(_shape.PadTop);
        column = column * _shape.StrideWidth - Vector512.Create(_shape.PadLeft);
        Vector512<uint> inHeight = Vector512.Create((uint)_shape.InHeight), inWidth = Vector512.Create((uint)_shape.InWidth);
        Vector512<int> line = row * (_shape.InWidth * PixelBytes), lineStep = Vector512.Create(_shape.DilationHeight * _shape.InWidth * PixelBytes);
        for (int ky = 0; ky < _shape.KernelHeight; ky++, row += Vector512.Create(_shape.DilationHeight), line += lineStep)
        {
            Vector512<uint> isInside = Vector512.LessThan(row.AsUInt32(), inHeight);
            Vector512<int> x = column;
            for (int kx = 0; kx < TapColumns; kx++, x += Vector512.Create(_shape.DilationWidth), offsets += Block)
                Vector512.ConditionalSelect((isInside & Vector512.LessThan(x.AsUInt32(), inWidth)).AsInt32(), line + x * PixelBytes, Vector512.Create(-1)).Store(offsets);
        }
    }
}
