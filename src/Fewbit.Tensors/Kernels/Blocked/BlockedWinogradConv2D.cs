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
        if (!Exists(shape)) return false;
        double direct = (double)shape.Batch * shape.OutPlane * shape.Inner * Blocks(shape.OutChannels);
        return Math.Min(Cost<WinogradTile2>(shape), Cost<WinogradTile4>(shape)) < 0.9 * direct;
    }

    /// <summary>Scratch of <see cref="RunOnce"/>, aligned to 64.</summary>
    public static long ScratchOnceBytes(in Conv2DShape shape) => UsesLargeTiles(shape) && WinogradOnce<WinogradTile4>.Fits(shape) ? WinogradOnce<WinogradTile4>.ScratchBytes(shape) : PackedWeightBytes(shape);

    /// <summary>As <see cref="Run(in Conv2DShape, float*, float*, in BlockedEpilogue, float*, void*)"/> with weights that are used once: they are transformed on the way.</summary>
    public static void RunOnce(in Conv2DShape shape, float* x, in WeightView weights, in BlockedEpilogue epilogue, float* y, void* scratch)
    {
        if (shape.IsEmpty) return;
        if (UsesLargeTiles(shape) && WinogradOnce<WinogradTile4>.Fits(shape))
        {
            WinogradOnce<WinogradTile4>.Run(shape, x, weights, epilogue, y, (float*)scratch);
            return;
        }
        PackWeights(shape, weights, (float*)scratch);
        Run(shape, x, (float*)scratch, epilogue, y, null);
    }

    /// <summary>Bytes of transformed weights: 4 times those of the direct route, or 16/9 times with small tiles.</summary>
    public static long PackedWeightBytes(in Conv2DShape shape) => sizeof(float) * (UsesLargeTiles(shape)
        ? WinogradWeights.Floats<WinogradTile4>(shape.OutChannels, shape.InChannels)
        : WinogradWeights.Floats<WinogradTile2>(shape.OutChannels, shape.InChannels));

    /// <summary>Transforms and packs w [K, C, 3, 3].</summary>
    public static void PackWeights(in Conv2DShape shape, float* w, float* packed) => PackWeights(shape, WeightView.Of(shape, w), packed);

    public static void PackWeights(in Conv2DShape shape, in WeightView weights, float* packed)
    {
        if (UsesLargeTiles(shape)) WinogradWeights.Pack<WinogradTile4>(shape.OutChannels, shape.InChannels, weights, packed);
        else WinogradWeights.Pack<WinogradTile2>(shape.OutChannels, shape.InChannels, weights, packed);
    }

    /// <summary>Shared scratch that <see cref="Run"/> needs: none, each thread has its own.</summary>
    public static long ScratchBytes(in Conv2DShape shape) => 0;

    /// <summary>y = epilogue(conv(x, w)).</summary>
    /// <param name="shape">The convolution; channels need not be whole blocks.</param>
    /// <param name="x">[N, C/16, H, W, 16].</param>
    /// <param name="packed">From PackWeights for the same shape.</param>
    /// <param name="epilogue">Bias, residual, activation.</param>
    /// <param name="y">[N, K/16, OutHeight, OutWidth, 16].</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> bytes.</param>
    public static void Run(in Conv2DShape shape, float* x, float* packed, in BlockedEpilogue epilogue, float* y, void* scratch)
    {
        if (shape.IsEmpty) return;
        if (UsesLargeTiles(shape)) Run<WinogradTile4>(shape, x, packed, epilogue, y);
        else Run<WinogradTile2>(shape, x, packed, epilogue, y);
    }

    /// <summary>3x3 at stride 1, ungrouped, not dilated, AVX-512.</summary>
    internal static bool Exists(in Conv2DShape shape) => KernelPaths.Active >= KernelPath.Avx512 && !shape.IsEmpty && shape.InChannels > 0 && shape.InPlane > 0 && shape.Groups == 1
        && shape is { KernelHeight: 3, KernelWidth: 3, StrideHeight: 1, StrideWidth: 1, DilationHeight: 1, DilationWidth: 1 };

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
    internal static void Run<TTile>(in Conv2DShape shape, float* x, float* packed, in BlockedEpilogue epilogue, float* y) where TTile : struct, IWinogradTile
    {
        var work = new WinogradWork<TTile>(shape, x, packed, epilogue, y);
        var job = new GroupJob<TTile>(work);
        Workers.Run(work.Tiling.Groups * work.Tiling.Parts, ref job);
    }

    /// <summary>A chunk is a group of tiles, or a part of its output channels: its transformed inputs stay in the cache of its core.</summary>
    private readonly struct GroupJob<TTile>(WinogradWork<TTile> work) : IJob where TTile : struct, IWinogradTile
    {
        public void Run(int chunk)
        {
            WinogradTiling<TTile> tiling = work.Tiling;
            float* inputs = (float*)ThreadScratch.Get((tiling.InputFloats + tiling.ProductFloats) * sizeof(float)), products = inputs + tiling.InputFloats;
            (int first, int count) = tiling.Group(chunk / tiling.Parts);
            int part = chunk % tiling.Parts;
            work.Transform(first, count, 0, tiling.InBlocks, inputs);
            work.Multiply(first, count, tiling.OutPairs * part / tiling.Parts, tiling.OutPairs * (part + 1) / tiling.Parts, inputs, products);
        }
    }
}
