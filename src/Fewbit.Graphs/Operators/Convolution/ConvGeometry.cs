using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators;

/// <summary>All lengths of a convolution of x [N, C, spatial] with w [M, C / groups, kernel] to y [N, M, spatial].</summary>
/// <param name="Batch">N.</param>
/// <param name="InChannels">C.</param>
/// <param name="OutChannels">M.</param>
/// <param name="Groups">Groups of channels that do not meet.</param>
/// <param name="Axes">Three spatial dimensions, depth first.</param>
internal sealed record ConvGeometry(int Batch, int InChannels, int OutChannels, int Groups, WindowAxis[] Axes)
{
    public int GroupInChannels => InChannels / Groups;

    public int GroupOutChannels => OutChannels / Groups;

    public int Taps => Axes[0].Kernel * Axes[1].Kernel * Axes[2].Kernel;

    public long InPlane => (long)Axes[0].In * Axes[1].In * Axes[2].In;

    public long OutPlane => (long)Axes[0].Out * Axes[1].Out * Axes[2].Out;

    /// <summary>True where the fast kernels of two dimensions serve.</summary>
    public bool IsPlanar => Axes[0] == WindowAxis.Single;

    /// <summary>True where the kernel covers the whole image once: each output is a product with all of it.</summary>
    public bool IsMatrixProduct => Groups == 1 && OutPlane == 1 && InPlane == Taps && Array.TrueForAll(Axes, axis => axis.PadBegin == 0);

    public static ConvGeometry Of(Node node, WindowAttributes window, long groups, Shape x, Shape w) =>
        new(checked((int)x[0]), checked((int)x[1]), checked((int)w[0]), (int)groups, window.Axes(node, x.Dims[2..], w.Dims[2..]));

    public Conv2DShape ToPlanar() => new(Batch, InChannels, Axes[1].In, Axes[2].In, OutChannels, Axes[1].Kernel, Axes[2].Kernel)
    {
        StrideHeight = Axes[1].Stride,
        StrideWidth = Axes[2].Stride,
        DilationHeight = Axes[1].Dilation,
        DilationWidth = Axes[2].Dilation,
        PadTop = Axes[1].PadBegin,
        PadLeft = Axes[2].PadBegin,
        PadBottom = Axes[1].PadEnd,
        PadRight = Axes[2].PadEnd,
        Groups = Groups,
    };
}
