using System.Runtime.Intrinsics;

namespace Fewbit.Tensors.Kernels;

/// <summary>Transformed weights of 3x3 convolutions, computed in double precision: [pair of output blocks][point][channel][block of the pair][16].</summary>
internal static unsafe class WinogradWeights
{
    private const int Lanes = ChannelBlocks.Width, MaxSide = 6;

    /// <summary>Floats that <see cref="Pack"/> writes.</summary>
    public static long Floats<TTile>(int outChannels, int inChannels) where TTile : struct, IWinogradTile =>
        (long)WinogradTiling<TTile>.Points * BlockedWinogradConv2D.Blocks(inChannels) * Lanes * BlockedWinogradConv2D.Blocks(outChannels) * Lanes;

    /// <summary>Packs w [K, C, 3, 3]; channels that fill up the last blocks have zero weights.</summary>
    public static void Pack<TTile>(int outChannels, int inChannels, float* w, float* packed) where TTile : struct, IWinogradTile
    {
        int side = TTile.Outputs + 2, inputs = BlockedWinogradConv2D.Blocks(inChannels) * Lanes, outBlocks = BlockedWinogradConv2D.Blocks(outChannels);
        double* taps = stackalloc double[9 * Lanes];
        double* transformed = stackalloc double[MaxSide * MaxSide * Lanes];
        for (int block = 0; block < outBlocks; block++)
        {
            int first = block / WinogradProducts.MaxBlocks * WinogradProducts.MaxBlocks, blocks = Math.Min(WinogradProducts.MaxBlocks, outBlocks - first);
            float* to = packed + (long)first * side * side * inputs * Lanes + (block - first) * Lanes;
            for (int c = 0; c < inputs; c++)
            {
                for (int lane = 0; lane < Lanes; lane++)
                {
                    int output = block * Lanes + lane;
                    bool isInside = output < outChannels && c < inChannels;
                    for (int tap = 0; tap < 9; tap++) taps[tap * Lanes + lane] = isInside ? w[((long)output * inChannels + c) * 9 + tap] : 0;
                }
                Transform(TTile.Kernel, taps, transformed);
                for (int point = 0; point < side * side; point++)
                    for (int lane = 0; lane < Lanes; lane++) to[((long)point * inputs + c) * blocks * Lanes + lane] = (float)transformed[point * Lanes + lane];
            }
        }
    }

    /// <summary>kernel * taps * kernel', for 16 output channels.</summary>
    private static void Transform(double[][] kernel, double* taps, double* to)
    {
        double* rows = stackalloc double[MaxSide * 3 * Lanes];
        for (int half = 0; half < Lanes; half += 8)
        {
            for (int i = 0; i < kernel.Length; i++)
                for (int j = 0; j < 3; j++) Combine(kernel[i], taps + j * Lanes + half, 3 * Lanes).Store(rows + (3 * i + j) * Lanes + half);
            for (int i = 0; i < kernel.Length; i++)
                for (int j = 0; j < kernel.Length; j++) Combine(kernel[j], rows + 3 * i * Lanes + half, Lanes).Store(to + (kernel.Length * i + j) * Lanes + half);
        }
    }

    private static Vector512<double> Combine(double[] factors, double* from, int step) =>
        factors[0] * Vector512.Load(from) + factors[1] * Vector512.Load(from + step) + factors[2] * Vector512.Load(from + 2 * step);
}
