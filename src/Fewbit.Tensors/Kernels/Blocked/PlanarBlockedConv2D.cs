using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>The first convolution of a network: x is ordinary [N, C, H, W] with few channels, y is [N, M/16, OutHeight, OutWidth, 16]. The same methods as <see cref="BlockedConv2D"/>.</summary>
/// <remarks>The planes are copied once with their padding; in such a plane the taps of a kernel row are consecutive floats.</remarks>
internal static unsafe class PlanarBlockedConv2D
{
    private const int MostChannels = 8;
    private const int Slack = 64; // offsets are made for 16 pixels, vectors are copied whole

    /// <summary>Up to 8 channels, ungrouped, kernel columns not dilated, AVX-512.</summary>
    public static bool Fits(in Conv2DShape shape) => KernelPaths.Active >= KernelPath.Avx512 && !shape.IsEmpty && shape.Groups == 1 && shape.InChannels is > 0 and <= MostChannels
        && shape.InPlane > 0 && shape.DilationWidth == 1 && shape.KernelWidth <= TileKernel.MostSteps && Sum(shape).IsAddressable;

    public static long PackedWeightBytes(in Conv2DShape shape) => TilePanels.Bytes(Padded(shape), Sum(shape));

    public static void PackWeights(in Conv2DShape shape, float* weights, float* packed) => TilePanels.Pack(Padded(shape), Sum(shape), weights, packed);

    public static long ScratchBytes(in Conv2DShape shape) => (shape.Batch * Sum(shape).ImageFloats + Slack) * sizeof(float);

    public static void Run(in Conv2DShape shape, float* x, float* packed, in BlockedEpilogue epilogue, float* y, void* scratch)
    {
        var copy = new CopyJob(shape, Padded(shape), x, (float*)scratch);
        Workers.Run(shape.Batch * shape.InChannels, ref copy);
        var job = new BlockedTileJob(Padded(shape), Sum(shape), (float*)scratch, packed, epilogue, y);
        Workers.Run(job.Chunks, ref job);
    }

    private static TileSum Sum(in Conv2DShape shape) => TileSum.OfPaddedPlanes(Padded(shape));

    private static Conv2DShape Padded(in Conv2DShape shape) => shape with
    {
        InHeight = shape.InHeight + shape.PadTop + shape.PadBottom,
        InWidth = shape.InWidth + shape.PadLeft + shape.PadRight,
        PadTop = 0,
        PadLeft = 0,
        PadBottom = 0,
        PadRight = 0,
    };

    /// <summary>A chunk is one plane.</summary>
    private readonly struct CopyJob(Conv2DShape shape, Conv2DShape padded, float* x, float* to) : IJob
    {
        public void Run(int chunk)
        {
            float* row = to + (long)chunk * padded.InPlane, from = x + (long)chunk * shape.InPlane;
            new Span<float>(row, shape.PadTop * padded.InWidth).Clear();
            row += shape.PadTop * padded.InWidth;
            for (int y = 0; y < shape.InHeight; y++, row += padded.InWidth, from += shape.InWidth)
            {
                new Span<float>(row, shape.PadLeft).Clear();
                new Span<float>(from, shape.InWidth).CopyTo(new Span<float>(row + shape.PadLeft, shape.InWidth));
                new Span<float>(row + shape.PadLeft + shape.InWidth, shape.PadRight).Clear();
            }
            new Span<float>(row, shape.PadBottom * padded.InWidth).Clear();
        }
    }
}
