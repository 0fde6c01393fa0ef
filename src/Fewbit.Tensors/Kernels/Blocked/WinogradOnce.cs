using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>Winograd's convolution of few tiles by many weights that are used once: each thread transforms the weights of a pair of output blocks some input channels at a time, so that they stay in its cache and never reach the memory.</summary>
internal static unsafe class WinogradOnce<TTile> where TTile : struct, IWinogradTile
{
    private const int Lanes = ChannelBlocks.Width;
    private const int MostTiles = 64;
    private const long FewestWeightBytes = 8 << 20; // what fits the last cache is packed once
    private const int RangeBytes = 320 << 10;

    public static bool Fits(in Conv2DShape shape) => new WinogradTiling<TTile>(shape).Tiles <= MostTiles && WinogradWeights.Floats<TTile>(shape.OutChannels, shape.InChannels) * sizeof(float) >= FewestWeightBytes;

    /// <summary>The transformed inputs.</summary>
    public static long ScratchBytes(in Conv2DShape shape) => WinogradTiling<TTile>.Points * PointStep(new(shape)) * sizeof(float);

    public static void Run(in Conv2DShape shape, float* x, in WeightView weights, in BlockedEpilogue epilogue, float* y, float* scratch)
    {
        var tiling = new WinogradTiling<TTile>(shape);
        var inputs = new InputJob(WinogradTiling<TTile>.Inputs(shape, x), tiling, scratch);
        Workers.Run(tiling.InBlocks, ref inputs);
        var products = new PairJob(shape, tiling, weights, new(shape, x, null, epilogue, y), scratch);
        Workers.Run(tiling.OutPairs, ref products);
    }

    /// <summary>From point to point of the inputs [point][block][tile][16]: an odd number of vectors.</summary>
    private static nint PointStep(in WinogradTiling<TTile> tiling) => ((tiling.InBlocks * tiling.Tiles) | 1) * Lanes;

    /// <summary>A chunk is a block of inputs.</summary>
    private readonly struct InputJob(WinogradSquares squares, WinogradTiling<TTile> tiling, float* inputs) : IJob
    {
        public void Run(int chunk) => squares.Transform<WinogradInput<TTile>>(0, tiling.Tiles, chunk, chunk + 1, inputs + (long)chunk * tiling.Tiles * Lanes, PointStep(tiling));
    }

    /// <summary>A chunk is a pair of blocks of outputs.</summary>
    private readonly struct PairJob(Conv2DShape shape, WinogradTiling<TTile> tiling, WeightView weights, WinogradWork<TTile> work, float* inputs) : IJob
    {
        public void Run(int chunk)
        {
            int points = WinogradTiling<TTile>.Points, block = chunk * WinogradProducts.MaxBlocks, blocks = Math.Min(WinogradProducts.MaxBlocks, tiling.OutBlocks - block);
            int range = Math.Clamp(RangeBytes / (points * Lanes * blocks * Lanes * sizeof(float)), 1, tiling.InBlocks);
            long productFloats = (long)blocks * tiling.Tiles * points * Lanes;
            float* products = (float*)ThreadScratch.Get((productFloats + (long)points * range * Lanes * blocks * Lanes) * sizeof(float)), packed = products + productFloats;
            for (int first = 0; first < tiling.InBlocks; first += range)
            {
                int count = Math.Min(range, tiling.InBlocks - first);
                for (int i = 0; i < count; i++)
                {
                    for (int b = 0; b < blocks; b++)
                        WinogradWeights.Transform<TTile>(shape.OutChannels, shape.InChannels, weights, block + b, first + i, packed + ((long)i * Lanes * blocks + b) * Lanes, blocks * Lanes, (nint)count * Lanes * blocks * Lanes);
                }
                WinogradProducts.RunAll(points, count, blocks, tiling.Tiles, inputs + (long)first * tiling.Tiles * Lanes, PointStep(tiling), packed, products, adds: first > 0);
            }
            for (int b = 0; b < blocks; b++) work.Store(0, tiling.Tiles, block + b, products + (long)b * tiling.Tiles * points * Lanes);
        }
    }
}
