using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>The gradient in the weights of a network's first convolution: x is ordinary [N, C, H, W] with few channels, dy is [N, M/16, OutHeight, OutWidth, 16].</summary>
/// <remarks>A band of rows is copied with its padding; in such rows the columns of a kernel row are consecutive floats, each of which multiplies the vector of dy.</remarks>
internal static unsafe class PlanarConvBackwardWeights
{
    private const int Lanes = ChannelBlocks.Width;

    /// <summary>The shapes of <see cref="PlanarBlockedConv2D"/>.</summary>
    public static bool Fits(in Conv2DShape forward) => PlanarBlockedConv2D.Fits(forward);

    /// <summary>Shared scratch that <see cref="Run"/> needs, aligned to 64.</summary>
    public static long ScratchBytes(in Conv2DShape forward) => new Split(forward).Parts.Bytes;

    /// <param name="forward">The forward convolution.</param>
    /// <param name="x">[N, C, H, W].</param>
    /// <param name="dy">[N, M/16, OutHeight, OutWidth, 16].</param>
    /// <param name="dw">[M, C, kH, kW]; overwritten.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> bytes.</param>
    public static void Run(in Conv2DShape forward, float* x, float* dy, float* dw, void* scratch)
    {
        var split = new Split(forward);
        var job = new SumJob(forward, split, x, dy, dw, (float*)scratch);
        Workers.Run(split.Parts.Chunks, ref job);
        if (split.Parts.Count > 1) split.Parts.Reduce((float*)scratch, dw);
    }

    /// <summary>Sums are kept as those of a 1x1 convolution of as many channels as a sum has terms: [channel, tap] in one run for a block of outputs.</summary>
    private readonly struct Split
    {
        private const int OutSide = 8, FewChunks = 16;

        public Split(in Conv2DShape forward)
        {
            var pointwise = new Conv2DShape(forward.Batch, forward.Inner, forward.OutHeight, forward.OutWidth, forward.OutChannels, 1, 1);
            Bands = new(pointwise);
            Parts = new(pointwise, OutSide, int.MaxValue, FewChunks, Bands.Count);
        }

        public PixelBands Bands { get; }

        public WeightParts Parts { get; }
    }

    /// <summary>A chunk is a part of the pixels by some blocks of outputs.</summary>
    private readonly struct SumJob(Conv2DShape forward, Split split, float* x, float* dy, float* dw, float* parts) : IJob
    {
        public void Run(int chunk)
        {
            WeightParts weights = split.Parts;
            int part = chunk / weights.Rectangles, rectangle = chunk % weights.Rectangles;
            BlockRectangle blocks = weights.RectangleOf(rectangle);
            Conv2DShape padded = PaddedRows.Padded(forward, split.Bands[0].EndRow);
            long sumFloats = (long)blocks.Count * weights.Sums.TileFloats, copyFloats = (long)forward.InChannels * padded.InPlane;
            float* sums = (float*)ThreadScratch.Get((sumFloats + copyFloats) * sizeof(float)), copy = sums + sumFloats;
            if (weights.Count > 1) sums = parts + weights.PartFloats * part + weights.RectangleFloats * rectangle;
            new Span<float>(sums, (int)sumFloats).Clear();
            int end = split.Bands.FirstOf(part + 1, weights.Count);
            for (int i = split.Bands.FirstOf(part, weights.Count); i < end; i++)
            {
                PixelBand band = split.Bands[i];
                for (int image = band.FirstImage; image < band.EndImage; image++)
                {
                    PaddedRows.Copy(forward, padded, x + (long)image * forward.InChannels * forward.InPlane, band.FirstRow, copy);
                    for (int block = blocks.FirstOut; block < blocks.EndOut; block++) Add(image, block, band, padded, copy, sums + (long)(block - blocks.FirstOut) * blocks.EndIn * weights.Sums.TileFloats);
                }
            }
            for (int i = 0; weights.Count == 1 && i < blocks.Count; i++) weights.Sums.Store(sums + (long)i * weights.Sums.TileFloats, blocks.OutBlock(i), blocks.InBlock(i), dw);
        }

        private void Add(int image, int block, in PixelBand band, in Conv2DShape padded, float* copy, float* sums)
        {
            int outWidth = split.Bands.OutWidth, height = forward.KernelHeight, width = forward.KernelWidth;
            var products = new RowProducts
            {
                Y = dy + (((long)image * split.Parts.Sums.OutBlocks + block) * forward.OutPlane + (long)band.FirstRow * outWidth) * Lanes,
                XColumn = forward.StrideWidth,
                XRow = (nint)forward.StrideHeight * padded.InWidth,
                XKernelRow = (nint)forward.DilationHeight * padded.InWidth,
                YRow = (nint)outWidth * Lanes,
                Columns = outWidth,
                Rows = band.EndRow - band.FirstRow,
                SumRow = (nint)width * Lanes,
            };
            for (int c = 0; c < forward.InChannels; c++)
            {
                for (int ky = 0; ky < height; ky += RowProducts.MostRows)
                {
                    for (int kx = 0; kx < width; kx += RowProducts.MostColumns)
                    {
                        products.X = copy + (long)c * padded.InPlane + ky * products.XKernelRow + kx;
                        products.Sums = sums + (((long)c * height + ky) * width + kx) * Lanes;
                        products.Add(Math.Min(RowProducts.MostRows, height - ky), Math.Min(RowProducts.MostColumns, width - kx));
                    }
                }
            }
        }
    }
}
