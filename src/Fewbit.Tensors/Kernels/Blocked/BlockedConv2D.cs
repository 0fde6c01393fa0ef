using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>What follows a convolution on channel blocks, in this order: + bias, + residual, activation. Null pointers are left out.</summary>
internal unsafe struct BlockedEpilogue
{
    /// <summary>One float an output channel, padded with zeros to whole blocks.</summary>
    public float* Bias;

    /// <summary>Blocked and shaped like y; may be y itself.</summary>
    public float* Residual;

    public Activation Activation;
}

/// <summary>Float convolution on channel blocks: x [N, C/16, H, W, 16] to y [N, M/16, OutHeight, OutWidth, 16], last blocks padded with zeros. All groups, strides, dilations and pads.</summary>
/// <remarks>
/// Sums are direct, hence exact for integer-valued floats. A vector holds 16 output channels of one pixel; a tile of up to 28 of them stays in registers while the
/// sum runs over (segment of input channels, tap, channel), the order in which the weights are packed.
/// </remarks>
internal static unsafe class BlockedConv2D
{
    /// <summary>Whether this route exists for the shape on the active path: AVX-512, and at most three times the products of the plain convolution.</summary>
    public static bool Fits(in Conv2DShape shape)
    {
        if (KernelPaths.Active < KernelPath.Avx512 || shape.IsEmpty || shape.InChannels == 0 || shape.InPlane == 0) return false;
        if (BlockedDepthwise.Fits(shape)) return true;
        var sum = TileSum.OfBlocks(shape);
        return sum.IsAddressable && TilePanels.Products(shape, sum) <= 3 * (long)shape.OutChannels * shape.Inner;
    }

    /// <summary>Bytes of packed weights. They belong to this shape: kernel, channels, groups and image size.</summary>
    public static long PackedWeightBytes(in Conv2DShape shape) => BlockedDepthwise.Fits(shape)
        ? BlockedDepthwise.PackedWeightBytes(shape)
        : TilePanels.Bytes(shape, TileSum.OfBlocks(shape));

    /// <summary>Packs w [M, C / groups, kH, kW]; packed is aligned to 64 bytes.</summary>
    public static void PackWeights(in Conv2DShape shape, float* weights, float* packed) => PackWeights(shape, WeightView.Of(shape, weights), packed);

    public static void PackWeights(in Conv2DShape shape, in WeightView weights, float* packed)
    {
        if (BlockedDepthwise.Fits(shape)) BlockedDepthwise.PackWeights(shape, weights, packed);
        else TilePanels.Pack(shape, TileSum.OfBlocks(shape), weights, packed);
    }

    /// <summary>Shared scratch that <see cref="Run"/> needs.</summary>
    public static long ScratchBytes(in Conv2DShape shape) => 0;

    /// <summary>y = epilogue(conv(x, w)).</summary>
    /// <param name="shape">The convolution.</param>
    /// <param name="x">[N, C/16, H, W, 16].</param>
    /// <param name="packed">From PackWeights for the same shape (any batch).</param>
    /// <param name="epilogue">Bias, residual (may be y), activation.</param>
    /// <param name="y">[N, M/16, OutHeight, OutWidth, 16], aligned to 64 bytes.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> bytes, aligned to 64.</param>
    public static void Run(in Conv2DShape shape, float* x, float* packed, in BlockedEpilogue epilogue, float* y, void* scratch)
    {
        if (BlockedDepthwise.Fits(shape))
        {
            BlockedDepthwise.Run(shape, x, packed, epilogue, y);
            return;
        }
        var job = new BlockedTileJob(shape, TileSum.OfBlocks(shape), x, packed, epilogue, y);
        Workers.Run(job.Chunks, ref job);
    }
}
