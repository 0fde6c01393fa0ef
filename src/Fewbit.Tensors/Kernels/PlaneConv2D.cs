using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>Convolution that reads the image in place instead of packing a matrix from it.</summary>
/// <remarks>
/// In a padded copy of the planes (phases at stride 2 and up) the operand of every tap is one shifted, contiguous run over the whole plane; a few columns at the end of each
/// row are computed for nothing and not written. A 1x1 convolution needs no copy. The copy costs one pass over the image, packing would cost one a tap.
/// </remarks>
internal static unsafe class PlaneConv2D
{
    private const int ManyImages = 8;
    private const int ChannelsPerCopy = 8;
    private const int Slack = 64; // vectors read past the end of the last plane

    /// <summary>Whether the wasted columns cost less than packing would: measured, packing and its partial sums cost a twentieth, and more the fewer output channels share them.</summary>
    public static bool Fits(in Conv2DShape shape, FloatKernel kernel)
    {
        if (shape.IsPointwise) return true;
        double packing = 1.05 + (22 + 2.5 * kernel.Columns / shape.OutWidth) / shape.GroupOutChannels;
        return Tiles(new DepthwiseConv2D.Phases(shape).Span, kernel) <= Tiles(shape.OutPlane, kernel) * packing;
    }

    private static double Tiles(int columns, FloatKernel kernel) =>
        kernel.Path == KernelPath.Avx512 ? FloatKernels.Tiles(columns) : PackedMatrix.PanelCount(columns, kernel.Columns);

    public static long ScratchBytes(in Conv2DShape shape) => (OffsetFloats(shape) + (IsManyImages(shape) ? 0 : ImageFloats(shape))) * sizeof(float);

    public static void Run(in Conv2DShape shape, float* x, float* packedWeights, in Epilogue epilogue, float* y, float* scratch, FloatKernel kernel)
    {
        var work = new Work(shape, x, packedWeights, epilogue, y, (int*)scratch, kernel);
        work.FillOffsets();
        if (IsManyImages(shape))
        {
            var images = new ImageJob(work);
            Workers.Run(shape.Batch * shape.Groups, ref images);
            return;
        }
        float* image = scratch + OffsetFloats(shape);
        for (int i = 0; i < shape.Batch * shape.Groups; i++)
        {
            var copy = new CopyJob(work, i, image);
            Workers.Run(copy.Chunks, ref copy);
            var multiply = new MultiplyJob(work, i, image);
            Workers.Run(multiply.Chunks, ref multiply);
        }
    }

    private static bool IsManyImages(in Conv2DShape shape) => (long)shape.Batch * shape.Groups >= ManyImages;

    private static long OffsetFloats(in Conv2DShape shape) => (shape.Inner + 15L) / 16 * 16;

    /// <summary>The padded planes of one image and group; of a 1x1 convolution the columns after the last whole tile.</summary>
    private static long ImageFloats(in Conv2DShape shape) => shape.IsPointwise
        ? (long)shape.Inner * FloatKernel.Active.Columns
        : (long)shape.GroupInChannels * new DepthwiseConv2D.Phases(shape).Elements + Slack;

    /// <summary>Everything that the chunks share. An image is counted as batch index times groups, plus group.</summary>
    private readonly struct Work(Conv2DShape shape, float* x, float* packedWeights, Epilogue epilogue, float* y, int* offsets, FloatKernel kernel)
    {
        private readonly Conv2DShape _flat = shape.Flattened();
        private readonly DepthwiseConv2D.Phases _phases = new(shape.Flattened());
        private readonly long _groupFloats = Conv2D.GroupFloats(shape);
        private readonly int _outWidth = shape.Flattened().OutWidth;

        public int Channels => shape.GroupInChannels;

        public int RowPanels => PackedMatrix.PanelCount(shape.GroupOutChannels, kernel.Rows);

        public int Tiles => PackedMatrix.PanelCount(_phases.Span, kernel.Columns);

        public long ImageBytes => ImageFloats(shape) * sizeof(float);

        public bool IsPointwise => shape.IsPointwise;

        public void FillOffsets()
        {
            for (int c = 0, p = 0; c < shape.GroupInChannels; c++)
                for (int tap = 0; tap < shape.Taps; tap++, p++) offsets[p] = c * _phases.Elements + _phases.OffsetOf(tap);
        }

        public void Copy(int image, float* to, int firstChannel, int endChannel)
        {
            for (int c = firstChannel; c < endChannel; c++) _phases.Copy(Plane(image) + (long)c * shape.InPlane, End, to + (long)c * _phases.Elements);
        }

        /// <summary>The last columns of a 1x1 convolution, packed: reading them in place would read past the end of the tensor.</summary>
        public void CopyTail(int image, float* to)
        {
            int tile = Tiles - 1;
            new ImagePanels(_flat, 0).Pack((uint*)Plane(image), (uint*)End, tile * kernel.Columns, 0, shape.Inner, (uint*)to, kernel.Columns);
        }

        public void Multiply(int image, float* copy, int firstRow, int endRow, int firstTile, int endTile)
        {
            int group = image % shape.Groups;
            long at = (long)image * shape.GroupOutChannels * shape.OutPlane;
            var weights = PackedMatrix.Over(PackedMatrix.Side.Left, shape.GroupOutChannels, shape.Inner, packedWeights + group * _groupFloats, kernel);
            var store = new TileStore(y + at, shape.OutPlane, 1, 0, Conv2D.Shift(epilogue, group * shape.GroupOutChannels, at));
            float* sums = stackalloc float[kernel.Rows * kernel.Columns + 16];
            sums = (float*)(((nint)sums + 63) & ~63);
            for (int row = firstRow; row < endRow; row++)
            {
                int rows = Math.Min(kernel.Rows, shape.GroupOutChannels - row * kernel.Rows);
                for (int tile = firstTile; tile < endTile; tile++)
                {
                    int columns = _phases.Span - tile * kernel.Columns;
                    bool isTail = shape.IsPointwise && tile == Tiles - 1;
                    float* from = isTail ? copy : (shape.IsPointwise ? Plane(image) : copy) + tile * kernel.Columns;
                    for (int block = 0; block < weights.BlockCount; block++)
                    {
                        int start = weights.BlockStart(block);
                        if (isTail) kernel.Body(weights.BlockSize(block), weights.PanelAt(block, row), from + (long)start * kernel.Columns, kernel.PanelOffsets, sums, rows, columns, block > 0);
                        else kernel.Body(weights.BlockSize(block), weights.PanelAt(block, row), from, offsets + start, sums, rows, columns, block > 0);
                    }
                    Store(store, sums, row * kernel.Rows, rows, tile * kernel.Columns);
                }
            }
        }

        /// <summary>Writes the columns that are pixels; the others lie behind the ends of rows.</summary>
        private void Store(in TileStore store, float* sums, int row, int rows, int first)
        {
            int end = Math.Min(first + kernel.Columns, _phases.Span), oy = first / _phases.Width, ox = first % _phases.Width;
            for (int column = first; column < end; column += _phases.Width - ox, oy++, ox = 0)
            {
                int length = Math.Min(_outWidth - ox, end - column);
                if (length > 0) store.Write(sums + column - first, kernel.Columns, row, oy * _outWidth + ox, rows, length, isFirst: true, isLast: true);
            }
        }

        private float* End => x + (long)shape.Batch * shape.InChannels * shape.InPlane;

        private float* Plane(int image) => x + (long)image * shape.GroupInChannels * shape.InPlane;
    }

    /// <summary>A chunk is one image and group: its copy stays in the cache of its core.</summary>
    private readonly struct ImageJob(Work work) : IJob
    {
        public void Run(int chunk)
        {
            float* copy = (float*)ThreadScratch.Get(work.ImageBytes);
            if (work.IsPointwise) work.CopyTail(chunk, copy);
            else work.Copy(chunk, copy, 0, work.Channels);
            work.Multiply(chunk, copy, 0, work.RowPanels, 0, work.Tiles);
        }
    }

    /// <summary>A chunk copies a few channels.</summary>
    private readonly struct CopyJob(Work work, int image, float* copy) : IJob
    {
        public int Chunks => work.IsPointwise ? 1 : (work.Channels + ChannelsPerCopy - 1) / ChannelsPerCopy;

        public void Run(int chunk)
        {
            if (work.IsPointwise) work.CopyTail(image, copy);
            else work.Copy(image, copy, chunk * ChannelsPerCopy, Math.Min((chunk + 1) * ChannelsPerCopy, work.Channels));
        }
    }

    /// <summary>A chunk is a rectangle of output channels and pixels: at most 8 by 4 of them.</summary>
    private readonly struct MultiplyJob(Work work, int image, float* copy) : IJob
    {
        private int TilesPerChunk => (work.Tiles + 7) / 8;

        private int RowsPerChunk => (work.RowPanels + 3) / 4;

        private int TileChunks => (work.Tiles + TilesPerChunk - 1) / TilesPerChunk;

        public int Chunks => (work.RowPanels + RowsPerChunk - 1) / RowsPerChunk * TileChunks;

        public void Run(int chunk)
        {
            int row = chunk / TileChunks * RowsPerChunk, tile = chunk % TileChunks * TilesPerChunk;
            work.Multiply(image, copy, row, Math.Min(row + RowsPerChunk, work.RowPanels), tile, Math.Min(tile + TilesPerChunk, work.Tiles));
        }
    }
}
