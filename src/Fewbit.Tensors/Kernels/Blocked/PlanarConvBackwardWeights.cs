using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>The gradient in the weights of a network's first convolution: x is ordinary [N, C, H, W] with few channels, dy is [N, M/16, OutHeight, OutWidth, 16].</summary>
/// <remarks>A band of pixels gets its patches side by side, [pixel][channel, tap], as if a 1x1 convolution of as many channels had read them.</remarks>
internal static unsafe class PlanarConvBackwardWeights
{
    private const int Lanes = ChannelBlocks.Width, Overrun = 16;

    /// <summary>The shapes of <see cref="PlanarBlockedConv2D"/>.</summary>
    public static bool Fits(in Conv2DShape forward) => PlanarBlockedConv2D.Fits(forward);

    /// <summary>Shared scratch that <see cref="Run"/> needs, aligned to 64.</summary>
    public static long ScratchBytes(in Conv2DShape forward) => new WeightBands(Pointwise(forward)).Parts.Bytes;

    /// <param name="forward">The forward convolution.</param>
    /// <param name="x">[N, C, H, W].</param>
    /// <param name="dy">[N, M/16, OutHeight, OutWidth, 16].</param>
    /// <param name="dw">[M, C, kH, kW]; overwritten.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> bytes.</param>
    public static void Run(in Conv2DShape forward, float* x, float* dy, float* dw, void* scratch)
    {
        var bands = new WeightBands(Pointwise(forward));
        var job = new SumJob(forward, bands, x, dy, dw, (float*)scratch);
        Workers.Run(bands.Parts.Chunks, ref job);
        if (bands.Parts.Count > 1) bands.Parts.Reduce((float*)scratch, dw);
    }

    /// <summary>The 1x1 convolution of patches.</summary>
    private static Conv2DShape Pointwise(in Conv2DShape forward) => new(forward.Batch, forward.Inner, forward.OutHeight, forward.OutWidth, forward.OutChannels, 1, 1);

    /// <summary>A chunk is a part of the pixels by a rectangle of blocks.</summary>
    private readonly struct SumJob(Conv2DShape forward, WeightBands bands, float* x, float* dy, float* dw, float* parts) : IJob
    {
        private readonly int _patchFloats = (forward.Inner + Lanes - 1) / Lanes * Lanes;

        public void Run(int chunk)
        {
            int part = chunk / bands.Parts.Rectangles, rectangle = chunk % bands.Parts.Rectangles;
            BlockRectangle blocks = bands.Parts.RectangleOf(rectangle);
            PixelBand largest = bands.BandOf(0);
            Conv2DShape padded = PaddedRows.Padded(forward, largest.EndRow);
            long sumFloats = (long)blocks.Count * bands.Parts.Sums.TileFloats, copyFloats = (long)forward.InChannels * padded.InPlane + Overrun;
            long patchFloats = (long)(largest.EndImage - largest.FirstImage) * largest.EndRow * bands.OutWidth * _patchFloats + Overrun;
            float* copy = (float*)ThreadScratch.Get((sumFloats + copyFloats + patchFloats) * sizeof(float)), patches = copy + copyFloats;
            float* sums = bands.Parts.Count == 1 ? patches + patchFloats : parts + bands.Parts.PartFloats * part + bands.Parts.RectangleFloats * rectangle;
            new Span<float>(copy, (int)copyFloats).Clear();
            new Span<float>(sums, (int)sumFloats).Clear();
            for (int band = bands.FirstBandOf(part); band < bands.FirstBandOf(part + 1); band++)
            {
                PixelBand pixels = bands.BandOf(band);
                MakePatches(pixels, padded, copy, patches);
                for (int i = 0; i < blocks.Count; i++) Add(blocks, i, pixels, patches, sums + (long)i * bands.Parts.Sums.TileFloats);
            }
            for (int i = 0; bands.Parts.Count == 1 && i < blocks.Count; i++) bands.Parts.Sums.Store(sums + (long)i * bands.Parts.Sums.TileFloats, blocks.OutBlock(i), blocks.InBlock(i), dw);
        }

        private void Add(in BlockRectangle blocks, int tile, in PixelBand band, float* patches, float* sums)
        {
            int rows = band.EndRow - band.FirstRow;
            var products = new OuterProducts
            {
                X = patches + blocks.InBlock(tile) * Lanes,
                Y = dy + (((long)band.FirstImage * bands.Parts.Sums.OutBlocks + blocks.OutBlock(tile)) * forward.OutPlane + (long)band.FirstRow * bands.OutWidth) * Lanes,
                XColumn = _patchFloats,
                XImage = (nint)rows * bands.OutWidth * _patchFloats,
                YImage = (nint)bands.Parts.Sums.OutBlocks * forward.OutPlane * Lanes,
                Columns = rows * bands.OutWidth,
                Rows = 1,
                Images = band.EndImage - band.FirstImage,
                Sums = sums,
                SumStep = Lanes,
            };
            products.Add();
        }

        private void MakePatches(in PixelBand band, in Conv2DShape padded, float* copy, float* to)
        {
            for (int image = band.FirstImage; image < band.EndImage; image++)
            {
                PaddedRows.Copy(forward, padded, x + (long)image * forward.InChannels * forward.InPlane, band.FirstRow, copy);
                for (int row = 0; row < band.EndRow - band.FirstRow; row++, to += (long)bands.OutWidth * _patchFloats)
                    MakePatches(padded, copy + (long)row * forward.StrideHeight * padded.InWidth, to);
            }
        }

        /// <summary>The patches of one output row. Kernel rows are copied as whole vectors: what is too much is overwritten by the next one.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void MakePatches(in Conv2DShape padded, float* rows, float* to)
        {
            int width = forward.KernelWidth, height = forward.KernelHeight, channels = forward.InChannels, patch = _patchFloats, stride = forward.StrideWidth;
            nint tapRow = (nint)forward.DilationHeight * padded.InWidth, plane = padded.InPlane;
            for (int pixel = bands.OutWidth; pixel > 0; pixel--, rows += stride, to += patch)
            {
                float* at = to, channel = rows;
                for (int c = 0; c < channels; c++, channel += plane)
                {
                    float* from = channel;
                    for (int ky = 0; ky < height; ky++, from += tapRow, at += width)
                    {
                        if (width <= 4) Vector128.Load(from).Store(at);
                        else if (width <= 8) Vector256.Load(from).Store(at);
                        else for (int kx = 0; kx < width; kx += Lanes) Vector512.Load(from + kx).Store(at + kx);
                    }
                }
            }
        }
    }
}
