using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>The gradient of a convolution in its weights on channel blocks: dw [M, C / groups, kH, kW] row-major from x [N, C/16, H, W, 16] and dy [N, M/16, OutHeight, OutWidth, 16].</summary>
/// <remarks>
/// A tap of a block of inputs by a block of outputs is a sum of outer products over the rectangle of output pixels whose input lies in the image: 16 vectors that stay in registers, no padding, no copy.
/// Bands of pixels that fit the first-level cache are taken one after the other. The order of additions follows from the shape.
/// </remarks>
internal static unsafe class BlockedConvBackwardWeights
{
    /// <summary>Whether this route exists for the forward convolution on the active path: AVX-512, and not mostly products of channels of different groups.</summary>
    public static bool Fits(in Conv2DShape forward)
    {
        if (KernelPaths.Active < KernelPath.Avx512 || forward.IsEmpty || forward.InPlane == 0 || forward.InChannels == 0) return false;
        return DepthwiseBackwardWeights.Fits(forward) || new WeightBands(forward).Parts.Products <= 3 * (long)forward.OutChannels * forward.GroupInChannels;
    }

    /// <summary>Shared scratch that <see cref="Run"/> needs, aligned to 64.</summary>
    public static long ScratchBytes(in Conv2DShape forward, bool allowsWinograd)
    {
        if (DepthwiseBackwardWeights.Fits(forward)) return DepthwiseBackwardWeights.ScratchBytes(forward);
        return allowsWinograd && WinogradBackwardWeights.Fits(forward) ? WinogradBackwardWeights.ScratchBytes(forward) : new WeightBands(forward).Parts.Bytes;
    }

    /// <param name="forward">The forward convolution.</param>
    /// <param name="allowsWinograd">Whether sums may be transformed.</param>
    /// <param name="x">[N, C/16, H, W, 16].</param>
    /// <param name="dy">[N, M/16, OutHeight, OutWidth, 16].</param>
    /// <param name="dw">[M, C / groups, kH, kW]; overwritten.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> bytes.</param>
    public static void Run(in Conv2DShape forward, bool allowsWinograd, float* x, float* dy, float* dw, void* scratch)
    {
        if (DepthwiseBackwardWeights.Fits(forward))
        {
            DepthwiseBackwardWeights.Run(forward, x, dy, dw, (float*)scratch);
            return;
        }
        if (allowsWinograd && WinogradBackwardWeights.Fits(forward))
        {
            WinogradBackwardWeights.Run(forward, x, dy, dw, scratch);
            return;
        }
        var bands = new WeightBands(forward);
        var job = new SumJob(forward, bands, x, dy, dw, (float*)scratch);
        Workers.Run(bands.Parts.Chunks, ref job);
        if (bands.Parts.Count > 1) bands.Parts.Reduce((float*)scratch, dw);
    }

    /// <summary>A chunk is a part of the pixels by a rectangle of blocks.</summary>
    private readonly struct SumJob(Conv2DShape forward, WeightBands bands, float* x, float* dy, float* dw, float* parts) : IJob
    {
        public void Run(int chunk)
        {
            int part = chunk / bands.Parts.Rectangles, rectangle = chunk % bands.Parts.Rectangles;
            BlockRectangle blocks = bands.Parts.RectangleOf(rectangle);
            long floats = (long)blocks.Count * bands.Parts.Sums.TileFloats;
            float* sums = bands.Parts.Count == 1 ? (float*)ThreadScratch.Get(floats * sizeof(float)) : parts + bands.Parts.PartFloats * part + bands.Parts.RectangleFloats * rectangle;
            new Span<float>(sums, (int)floats).Clear();
            for (int band = bands.FirstBandOf(part); band < bands.FirstBandOf(part + 1); band++) Add(blocks, bands.BandOf(band), sums);
            if (bands.Parts.Count > 1) return;
            for (int i = 0; i < blocks.Count; i++) bands.Parts.Sums.Store(sums + (long)i * bands.Parts.Sums.TileFloats, blocks.OutBlock(i), blocks.InBlock(i), dw);
        }

        private void Add(in BlockRectangle blocks, in PixelBand band, float* sums)
        {
            for (int i = 0; i < blocks.Count; i++)
            {
                if (!bands.Parts.Share(blocks.OutBlock(i), blocks.InBlock(i))) continue;
                float* plane = x + ((long)band.FirstImage * bands.Parts.Sums.InBlocks + blocks.InBlock(i)) * forward.InPlane * TileSum.Block;
                float* errors = dy + ((long)band.FirstImage * bands.Parts.Sums.OutBlocks + blocks.OutBlock(i)) * forward.OutPlane * TileSum.Block;
                for (int tap = 0; tap < forward.Taps; tap++) AddTap(band, tap, plane, errors, sums + ((long)i * forward.Taps * TileSum.Block + tap) * TileSum.Block);
            }
        }

        private void AddTap(in PixelBand band, int tap, float* plane, float* errors, float* sums)
        {
            var pixels = new TapPixels(forward, bands.OutWidth, band, tap);
            if (pixels.IsEmpty) return;
            var products = new OuterProducts
            {
                X = plane + pixels.InPixel * TileSum.Block,
                Y = errors + pixels.OutPixel * TileSum.Block,
                XColumn = forward.StrideWidth * TileSum.Block,
                XRow = (nint)forward.StrideHeight * forward.InWidth * TileSum.Block,
                XImage = (nint)bands.Parts.Sums.InBlocks * forward.InPlane * TileSum.Block,
                YRow = (nint)bands.OutWidth * TileSum.Block,
                YImage = (nint)bands.Parts.Sums.OutBlocks * forward.OutPlane * TileSum.Block,
                Columns = pixels.Columns,
                Rows = pixels.Rows,
                Images = band.EndImage - band.FirstImage,
                Sums = sums,
                FetchesAhead = tap == 0,
                SumStep = forward.Taps * TileSum.Block,
            };
            products.Add();
        }
    }
}
