using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>3x3 convolutions at stride 1 by Winograd's transforms on [N, C/16, H, W, 16]: F(4,3) takes a quarter of the multiplications, F(2,3) four ninths.</summary>
/// <remarks>
/// Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, arXiv:1509.09308. In this layout the transforms are vector arithmetic over 16 channels without a shuffle,
/// and tiles run on from image to image, so that small planes fill the products too. Sums differ from the direct ones by about 5e-6 of the largest: integers do not stay exact.
/// </remarks>
internal static unsafe class BlockedWinogradConv2D
{
    private const int Lanes = ChannelBlocks.Width;

    /// <summary>Fewer tiles than these wait for the weights to come from memory.</summary>
    private const int TilesPerWeight = 10;

    /// <summary>Whether this route exists for the shape and is the faster one.</summary>
    public static bool Fits(in Conv2DShape shape)
    {
        if (KernelPaths.Active < KernelPath.Avx512 || shape.IsEmpty || shape.InChannels == 0 || shape.InPlane == 0 || shape.Groups != 1 || shape.KernelHeight != 3 || shape.KernelWidth != 3) return false;
        if (shape.StrideHeight != 1 || shape.StrideWidth != 1 || shape.DilationHeight != 1 || shape.DilationWidth != 1) return false;
        double direct = (double)shape.Batch * shape.OutPlane * shape.Inner * Blocks(shape.OutChannels);
        return Math.Min(Cost<WinogradTile2>(shape), Cost<WinogradTile4>(shape)) < 0.9 * direct;
    }

    /// <summary>Bytes of transformed weights: 4 times those of the direct route, or 16/9 times with small tiles.</summary>
    public static long PackedWeightBytes(in Conv2DShape shape) => sizeof(float) * (UsesLargeTiles(shape)
        ? WinogradWeights.Floats<WinogradTile4>(shape.OutChannels, shape.InChannels)
        : WinogradWeights.Floats<WinogradTile2>(shape.OutChannels, shape.InChannels));

    /// <summary>Transforms and packs w [K, C, 3, 3].</summary>
    public static void PackWeights(in Conv2DShape shape, float* w, float* packed)
    {
        if (UsesLargeTiles(shape)) WinogradWeights.Pack<WinogradTile4>(shape.OutChannels, shape.InChannels, w, packed);
        else WinogradWeights.Pack<WinogradTile2>(shape.OutChannels, shape.InChannels, w, packed);
    }

    /// <summary>Shared scratch that <see cref="Run"/> needs, aligned to 64.</summary>
    public static long ScratchBytes(in Conv2DShape shape) => UsesLargeTiles(shape) ? new WinogradTiling<WinogradTile4>(shape).SharedBytes : new WinogradTiling<WinogradTile2>(shape).SharedBytes;

    /// <summary>y = epilogue(conv(x, w)).</summary>
    /// <param name="shape">The convolution; channels need not be whole blocks.</param>
    /// <param name="x">[N, C/16, H, W, 16].</param>
    /// <param name="packed">From <see cref="PackWeights"/> for the same shape.</param>
    /// <param name="epilogue">Bias, residual, activation.</param>
    /// <param name="y">[N, K/16, OutHeight, OutWidth, 16].</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> bytes.</param>
    public static void Run(in Conv2DShape shape, float* x, float* packed, in BlockedEpilogue epilogue, float* y, void* scratch)
    {
        if (shape.IsEmpty) return;
        if (UsesLargeTiles(shape)) Run<WinogradTile4>(shape, x, packed, epilogue, y, (float*)scratch);
        else Run<WinogradTile2>(shape, x, packed, epilogue, y, (float*)scratch);
    }

    internal static int Blocks(int channels) => (channels + Lanes - 1) / Lanes;

    internal static bool UsesLargeTiles(in Conv2DShape shape) => Cost<WinogradTile4>(shape) <= Cost<WinogradTile2>(shape);

    /// <summary>Vector multiplications, as many as the transforms cost included.</summary>
    private static double Cost<TTile>(in Conv2DShape shape) where TTile : struct, IWinogradTile
    {
        var tiling = new WinogradTiling<TTile>(shape);
        double products = (double)WinogradTiling<TTile>.Points * Math.Max(tiling.Tiles, TilesPerWeight) * tiling.InBlocks * tiling.OutBlocks * Lanes;
        return products + (double)tiling.Tiles * (tiling.InBlocks + tiling.OutBlocks) * TTile.TransformCost;
    }

    /// <summary>As above, for weights of one size of tiles.</summary>
    internal static void Run<TTile>(in Conv2DShape shape, float* x, float* packed, in BlockedEpilogue epilogue, float* y, float* scratch) where TTile : struct, IWinogradTile
    {
        var work = new WinogradWork<TTile>(shape, x, packed, epilogue, y);
        if (!work.Tiling.IsShared)
        {
            var groups = new GroupJob<TTile>(work);
            Workers.Run(work.Tiling.Groups, ref groups);
            return;
        }
        var transform = new TransformJob<TTile>(work, scratch);
        Workers.Run(transform.Chunks, ref transform);
        var multiply = new MultiplyJob<TTile>(work, scratch);
        Workers.Run(work.Tiling.OutPairs, ref multiply);
    }

    /// <summary>A chunk is a group of tiles with all its channels: its transformed inputs stay in the cache of its core.</summary>
    private readonly struct GroupJob<TTile>(WinogradWork<TTile> work) : IJob where TTile : struct, IWinogradTile
    {
        public void Run(int chunk)
        {
            WinogradTiling<TTile> tiling = work.Tiling;
            float* inputs = (float*)ThreadScratch.Get((tiling.InputFloats + WinogradTiling<TTile>.ProductFloats) * sizeof(float)), products = inputs + tiling.InputFloats;
            (int first, int count) = tiling.Group(chunk);
            work.Transform(first, count, 0, tiling.InBlocks, inputs);
            work.Multiply(first, count, 0, tiling.OutPairs, inputs, products);
        }
    }

    /// <summary>A chunk is some blocks of input channels of all tiles.</summary>
    private readonly struct TransformJob<TTile>(WinogradWork<TTile> work, float* inputs) : IJob where TTile : struct, IWinogradTile
    {
        private const int TilesPerChunk = 64;

        private int BlocksPerChunk => (TilesPerChunk + work.Tiling.Tiles - 1) / work.Tiling.Tiles;

        public int Chunks => (work.Tiling.InBlocks + BlocksPerChunk - 1) / BlocksPerChunk;

        public void Run(int chunk) => work.Transform(0, work.Tiling.Tiles, chunk * BlocksPerChunk, Math.Min((chunk + 1) * BlocksPerChunk, work.Tiling.InBlocks), inputs);
    }

    /// <summary>A chunk is a pair of blocks of output channels of all tiles.</summary>
    private readonly struct MultiplyJob<TTile>(WinogradWork<TTile> work, float* inputs) : IJob where TTile : struct, IWinogradTile
    {
        public void Run(int chunk) => work.Multiply(0, work.Tiling.Tiles, chunk, chunk + 1, inputs, (float*)ThreadScratch.Get(WinogradTiling<TTile>.ProductFloats * sizeof(float)));
    }
}
