using System.Runtime.CompilerServices;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>Transformed weights of 3x3 convolutions: [pair of output blocks][point][channel][block of the pair][16].</summary>
internal static unsafe class WinogradWeights
{
    private const int Lanes = ChannelBlocks.Width;

    /// <summary>Floats that <see cref="Pack"/> writes.</summary>
    public static long Floats<TTile>(int outChannels, int inChannels) where TTile : struct, IWinogradTile =>
        (long)WinogradTiling<TTile>.Points * BlockedWinogradConv2D.Blocks(inChannels) * Lanes * BlockedWinogradConv2D.Blocks(outChannels) * Lanes;

    /// <summary>Packs 3x3 weights; channels that fill up the last blocks have zero weights.</summary>
    public static void Pack<TTile>(int outChannels, int inChannels, in WeightView weights, float* packed) where TTile : struct, IWinogradTile
    {
        var job = new BlockJob<TTile>(outChannels, inChannels, weights, packed);
        Workers.Run(job.Chunks, ref job);
    }

    /// <summary>A chunk is a block of input channels by a block of output channels.</summary>
    private readonly struct BlockJob<TTile>(int outChannels, int inChannels, WeightView weights, float* packed) : IJob where TTile : struct, IWinogradTile
    {
        private readonly int _inBlocks = BlockedWinogradConv2D.Blocks(inChannels), _outBlocks = BlockedWinogradConv2D.Blocks(outChannels);

        public int Chunks => _inBlocks * _outBlocks;

        public void Run(int chunk)
        {
            int block = chunk / _inBlocks, inBlock = chunk % _inBlocks;
            int first = block / WinogradProducts.MaxBlocks * WinogradProducts.MaxBlocks, blocks = Math.Min(WinogradProducts.MaxBlocks, _outBlocks - first);
            float* to = packed + (long)first * WinogradTiling<TTile>.Points * _inBlocks * Lanes * Lanes + (long)inBlock * Lanes * blocks * Lanes + (block - first) * Lanes;
            Transform<TTile>(outChannels, inChannels, weights, block, inBlock, to, blocks * Lanes, (nint)_inBlocks * Lanes * blocks * Lanes);
        }
    }

    /// <summary>Transforms the weights of a block of outputs by a block of inputs.</summary>
    /// <param name="outChannels">All output channels.</param>
    /// <param name="inChannels">All input channels.</param>
    /// <param name="weights">All weights.</param>
    /// <param name="block">Block of outputs.</param>
    /// <param name="inBlock">Block of inputs.</param>
    /// <param name="to">Where the first channel goes.</param>
    /// <param name="channelStep">From channel to channel.</param>
    /// <param name="pointStep">From point to point.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Transform<TTile>(int outChannels, int inChannels, in WeightView weights, int block, int inBlock, float* to, nint channelStep, nint pointStep) where TTile : struct, IWinogradTile
    {
        float* taps = stackalloc float[(9 * Lanes + 1) * Lanes];
        taps = (float*)(((nint)taps + 63) & ~63);
        int channels = Math.Min(Lanes, inChannels - inBlock * Lanes);
        new Span<float>(taps + 9 * channels * Lanes, 9 * (Lanes - channels) * Lanes).Clear();
        weights.CopyLanes(block * Lanes, Math.Min(Lanes, outChannels - block * Lanes), inBlock * Lanes, channels, taps);
        int firstTap = weights.PlaceOf(0) * Lanes, tapStep = weights.PlaceOf(1) * Lanes - firstTap;
        for (int c = 0; c < Lanes; c++) TTile.Kernel(taps + 9 * c * Lanes + firstTap, tapStep, to + c * channelStep, pointStep);
    }
}
