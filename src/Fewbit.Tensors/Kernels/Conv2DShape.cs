namespace Fewbit.Tensors.Kernels;

/// <summary>A 2-D convolution of x [N, C, H, W] with w [M, C / groups, kH, kW]. 1-D: height and kernel height 1.</summary>
internal readonly record struct Conv2DShape(int Batch, int InChannels, int InHeight, int InWidth, int OutChannels, int KernelHeight, int KernelWidth)
{
    public int StrideHeight { get; init; } = 1;
    public int StrideWidth { get; init; } = 1;
    public int DilationHeight { get; init; } = 1;
    public int DilationWidth { get; init; } = 1;
    public int PadTop { get; init; }
    public int PadLeft { get; init; }
    public int PadBottom { get; init; }
    public int PadRight { get; init; }
    public int Groups { get; init; } = 1;

    /// <summary>A square kernel with equal stride and padding on each side.</summary>
    public static Conv2DShape Square(int batch, int inChannels, int size, int outChannels, int kernel, int stride = 1, int pad = 0, int groups = 1) =>
        new(batch, inChannels, size, size, outChannels, kernel, kernel)
        {
            StrideHeight = stride,
            StrideWidth = stride,
            PadTop = pad,
            PadLeft = pad,
            PadBottom = pad,
            PadRight = pad,
            Groups = groups,
        };

    public int OutHeight => OutSize(InHeight + PadTop + PadBottom, KernelHeight, DilationHeight, StrideHeight);

    public int OutWidth => OutSize(InWidth + PadLeft + PadRight, KernelWidth, DilationWidth, StrideWidth);

    public int InPlane => InHeight * InWidth;

    public int OutPlane => OutHeight * OutWidth;

    public int Taps => KernelHeight * KernelWidth;

    public int GroupInChannels => InChannels / Groups;

    public int GroupOutChannels => OutChannels / Groups;

    /// <summary>Length of the sum behind one output element.</summary>
    public int Inner => GroupInChannels * Taps;

    public bool IsDepthwise => Groups > 1 && Groups == InChannels;

    /// <summary>The image itself is the matrix: kernel 1x1, stride 1, no padding.</summary>
    public bool IsPointwise => Taps == 1 && StrideHeight == 1 && StrideWidth == 1 && PadTop == 0 && PadLeft == 0 && PadBottom == 0 && PadRight == 0;

    public bool IsEmpty => Batch == 0 || OutChannels == 0 || OutHeight <= 0 || OutWidth <= 0;

    /// <summary>A 1x1 convolution sees each plane as one long row.</summary>
    internal Conv2DShape Flattened() => IsPointwise ? this with { InHeight = 1, InWidth = InPlane } : this;

    private static int OutSize(int padded, int kernel, int dilation, int stride)
    {
        int reach = dilation * (kernel - 1) + 1;
        return padded < reach ? 0 : (padded - reach) / stride + 1;
    }
}
