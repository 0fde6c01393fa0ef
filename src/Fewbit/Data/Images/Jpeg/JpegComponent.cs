namespace Fewbit.Data.Images.Jpeg;

/// <summary>One colour component of a JPEG frame: its sampling factors, its size in blocks and its decoded samples.</summary>
internal sealed class JpegComponent(byte id, int horizontal, int vertical, int quantizer)
{
    public byte Id { get; } = id;
    public int H { get; } = horizontal;
    public int V { get; } = vertical;
    public int Quantizer { get; } = quantizer;

    /// <summary>Samples a row and rows that carry picture.</summary>
    public int Width { get; private set; }
    public int Height { get; private set; }

    /// <summary>Blocks a row and rows of blocks in a scan of this component alone.</summary>
    public int BlocksWide { get; private set; }
    public int BlocksHigh { get; private set; }

    /// <summary>Blocks a row with the padding to whole MCUs; <see cref="Samples"/> has 8 times as many bytes a row.</summary>
    public int PaddedBlocksWide { get; private set; }
    public int PaddedBlocksHigh { get; private set; }

    public byte[] Samples { get; private set; } = [];
    public int Stride => PaddedBlocksWide * 8;

    /// <summary>Progressive only: 64 coefficients a block, natural order.</summary>
    public short[] Coefficients { get; private set; } = [];

    /// <summary>The quantization table as it stood when the component's first scan began (T.81 lets a file redefine it later).</summary>
    public ushort[]? QuantizerTable { get; set; }

    public bool IsSeen => QuantizerTable is not null;

    public void Layout(int imageWidth, int imageHeight, int maxH, int maxV)
    {
        Width = CeilDivide((long)imageWidth * H, maxH);
        Height = CeilDivide((long)imageHeight * V, maxV);
        (BlocksWide, BlocksHigh) = (CeilDivide(Width, 8), CeilDivide(Height, 8));
        (PaddedBlocksWide, PaddedBlocksHigh) = (CeilDivide(imageWidth, 8 * maxH) * H, CeilDivide(imageHeight, 8 * maxV) * V);
    }

    public void Allocate(bool progressive)
    {
        Samples = new byte[(long)Stride * PaddedBlocksHigh * 8];
        if (progressive) Coefficients = new short[(long)PaddedBlocksWide * PaddedBlocksHigh * 64];
    }

    public Span<short> Block(int x, int y) => Coefficients.AsSpan((y * PaddedBlocksWide + x) * 64, 64);

    internal static int CeilDivide(long value, int divisor) => (int)((value + divisor - 1) / divisor);
}
