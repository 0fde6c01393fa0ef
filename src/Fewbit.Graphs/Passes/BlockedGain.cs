using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Passes;

/// <summary>What blocks of channels save and cost, in nanoseconds of one core: a rule on shapes, with figures that were measured once (docs/notes/blocked-layout.md).</summary>
internal static class BlockedGain
{
    private const double ReorderedElement = 0.3;

    // Nanoseconds for a multiply-add of the direct sum.
    private static readonly (double RowMajor, double Blocked) Dense = (0.0210, 0.0175), FewPlanes = (0.0300, 0.0205), Grouped = (0.0250, 0.0215), Depthwise = (0.0800, 0.0220), Transformed = (0.0120, 0.0065);

    /// <summary>Time saved by a convolution on blocks; negative where channels that only fill up blocks cost more.</summary>
    public static double OfConvolution(in Conv2DShape shape, bool readsPlanes, bool allowsWinograd)
    {
        (double rowMajor, double blocked) = shape.IsDepthwise ? Depthwise : shape.Groups > 1 ? Grouped : readsPlanes ? FewPlanes
            : allowsWinograd && BlockedWinogradConv2D.Fits(shape) ? Transformed : Dense;
        double filling = Filling(shape.OutChannels) * (shape.Groups > 1 || readsPlanes ? 1 : Filling(shape.InChannels));
        return (double)shape.OutChannels * shape.OutPlane * shape.Inner * (rowMajor - blocked * filling);
    }

    /// <summary>Time of one reorder.</summary>
    public static double CostOfReorder(long elements) => ReorderedElement * elements;

    private static double Filling(int channels) => (double)ChannelBlocks.Floats(1, channels, 1) / channels;
}
