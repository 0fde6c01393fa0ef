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
        return DepthwiseBackwardWeights.Fits(forward) || new WeightBands(forward).Products <= 3 * (long)forward.OutChannels * forward.GroupInChannels;
    }

    /// <summary>Shared scratch that <see cref="Run"/> needs, aligned to 64.</summary>
    public static long ScratchBytes(in Conv2DShape forward) => DepthwiseBackwardWeights.Fits(forward) ? DepthwiseBackwardWeights.ScratchBytes(forward) : new WeightBands(forward).PartsBytes;

    /// <param name="forward">The forward convolution.</param>
    /// <param name="x">[N, C/16, H, W, 16].</param>
    /// <param name="dy">[N, M/16, OutHeight, OutWidth, 16].</param>
    /// <param name="dw">[M, C / groups, kH, kW]; overwritten.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> bytes.</param>
    public static void Run(in Conv2DShape forward, float* x, float* dy, float* dw, void* scratch)
    {
        if (DepthwiseBackwardWeights.Fits(forward))
        {
            DepthwiseBackwardWeights.Run(forward, x, dy, dw, (float*)scratch);
            return;
        }
        var bands = new WeightBands(forward);
        var job = new SumJob(forward, bands, x, dy, dw, (float*)scratch);
        Workers.Run(bands.Chunks, ref job);
        if (bands.Parts == 1) return;
        Reduce(bands, dw, (float*)scratch);
    }

    /// <summary>Adds up the parts and writes dw.</summary>
    internal static void Reduce(in WeightBands bands, float* dw, float* parts)
    {
        var reduce = new ReduceJob(bands, dw, parts);
        Workers.Run(bands.Rectangles * bands.TilesOfRectangle, ref reduce);
    }

    /// <summary>A chunk is a part of the pixels by a rectangle of blocks.</summary>
    private readonly struct SumJob(Conv2DShape forward, WeightBands bands, float* x, float* dy, float* dw, float* parts) : IJob
    {
        public void Run(int chunk)
        {
            int part = chunk / bands.Rectangles, rectangle = chunk % bands.Rectangles;
            BlockRectangle blocks = bands.RectangleOf(rectangle);
            long floats = (long)blocks.Count * bands.Sums.TileFloats;
            float* sums = bands.Parts == 1 ? (float*)ThreadScratch.Get(floats * sizeof(float)) : parts + bands.PartFloats * part + bands.RectangleFloats * rectangle;
            new Span<float>(sums, (int)floats).Clear();
            for (int band = bands.FirstBandOf(part); band < bands.FirstBandOf(part + 1); band++) Add(blocks, bands.BandOf(band), sums);
            if (bands.Parts > 1) return;
            for (int i = 0; i < blocks.Count; i++) bands.Sums.Store(sums + (long)i * bands.Sums.TileFloats, blocks.OutBlock(i), blocks.InBlock(i), dw);
        }

        private void Add(in BlockRectangle blocks, in PixelBand band, float* sums)
        {
            for (int i = 0; i < blocks.Count; i++)
            {
                if (!bands.Share(blocks.OutBlock(i), blocks.InBlock(i))) continue;
                float* plane = x + ((long)band.FirstImage * bands.Sums.InBlocks + blocks.InBlock(i)) * forward.InPlane * TileSum.Block;
                float* errors = dy + ((long)band.FirstImage * bands.Sums.OutBlocks + blocks.OutBlock(i)) * forward.OutPlane * TileSum.Block;
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
                XImage = (nint)bands.Sums.InBlocks * forward.InPlane * TileSum.Block,
                YRow = (nint)bands.OutWidth * TileSum.Block,
                YImage = (nint)bands.Sums.OutBlocks * forward.OutPlane * TileSum.Block,
                Columns = pixels.Columns,
                Rows = pixels.Rows,
                Images = band.EndImage - band.FirstImage,
                Sums = sums,
                SumStep = forward.Taps * TileSum.Block,
            };
            products.Add();
        }
    }

    /// <summary>A chunk is one tile: the parts are added up in their order.</summary>
    private readonly struct ReduceJob(WeightBands bands, float* dw, float* parts) : IJob
    {
        public void Run(int chunk)
        {
            int rectangle = chunk / bands.TilesOfRectangle, tile = chunk % bands.TilesOfRectangle;
            BlockRectangle blocks = bands.RectangleOf(rectangle);
            if (tile >= blocks.Count) return;
            float* sums = parts + bands.RectangleFloats * rectangle + (long)tile * bands.Sums.TileFloats;
            for (int part = 1; part < bands.Parts; part++) WeightSums.Add(sums, sums + bands.PartFloats * part, bands.Sums.TileFloats);
            bands.Sums.Store(sums, blocks.OutBlock(tile), blocks.InBlock(tile), dw);
        }
    }
}
