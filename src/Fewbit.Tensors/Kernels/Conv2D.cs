using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>Float convolution, NCHW in and out: a matrix product whose right operand is read from the image in place or packed from it; depthwise directly.</summary>
internal static unsafe class Conv2D
{
    private const int ColumnPanels = 6;
    private const int FewChunks = 8;

    /// <summary>Bytes of packed weights.</summary>
    public static long PackedWeightBytes(in Conv2DShape shape) => shape.IsDepthwise
        ? (long)shape.OutChannels * shape.Taps * sizeof(float)
        : GroupFloats(shape) * shape.Groups * sizeof(float);

    /// <summary>Packs w [M, C / groups, kH, kW] once for many runs (of any batch and image size).</summary>
    public static void PackWeights(in Conv2DShape shape, float* weights, float* packed)
    {
        if (shape.IsDepthwise)
        {
            Buffer.MemoryCopy(weights, packed, PackedWeightBytes(shape), PackedWeightBytes(shape));
            return;
        }
        for (int group = 0; group < shape.Groups; group++)
            PackedMatrix.Pack(PackedMatrix.Side.Left, weights + (long)group * shape.GroupOutChannels * shape.Inner, shape.Inner, false, shape.GroupOutChannels, shape.Inner, packed + group * GroupFloats(shape));
    }

    /// <summary>Shared scratch that <see cref="Run"/> needs, aligned to 64.</summary>
    public static long ScratchBytes(in Conv2DShape shape)
    {
        if (shape.IsEmpty || shape.IsDepthwise) return 0;
        FloatKernel kernel = FloatKernel.Active;
        if (PlaneConv2D.Fits(shape, kernel)) return PlaneConv2D.ScratchBytes(shape);
        return PackedScratchBytes(shape, kernel);
    }

    internal static long PackedScratchBytes(in Conv2DShape shape, FloatKernel kernel) =>
        IsStaged(shape, kernel) ? PackedMatrix.Bytes(PackedMatrix.Side.Right, shape.OutPlane, shape.Inner) : 0;

    /// <summary>y = epilogue(conv(x, w)). The epilogue's row bias is the bias [M]; its residual has the shape of y.</summary>
    /// <param name="shape">The convolution.</param>
    /// <param name="x">[N, C, H, W].</param>
    /// <param name="packedWeights">From <see cref="PackWeights"/> on the same kernel path.</param>
    /// <param name="epilogue">Bias, residual, activation.</param>
    /// <param name="y">[N, M, OutHeight, OutWidth].</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> bytes.</param>
    public static void Run(in Conv2DShape shape, float* x, float* packedWeights, in Epilogue epilogue, float* y, void* scratch)
    {
        if (shape.IsEmpty) return;
        if (shape.IsDepthwise)
        {
            DepthwiseConv2D.Run(shape, x, packedWeights, epilogue, y);
            return;
        }
        FloatKernel kernel = FloatKernel.Active;
        if (PlaneConv2D.Fits(shape, kernel))
        {
            PlaneConv2D.Run(shape, x, packedWeights, epilogue, y, (float*)scratch, kernel);
            return;
        }
        RunPacked(shape, x, packedWeights, epilogue, y, (float*)scratch, kernel);
    }

    /// <summary>The route that packs panels from the image.</summary>
    internal static void RunPacked(in Conv2DShape shape, float* x, float* packedWeights, in Epilogue epilogue, float* y, float* scratch, FloatKernel kernel)
    {
        if (IsStaged(shape, kernel))
        {
            RunStaged(shape, x, packedWeights, epilogue, y, scratch, kernel);
            return;
        }
        var job = new ColumnsJob(shape, x, packedWeights, epilogue, y, kernel);
        Workers.Run(job.Chunks, ref job);
    }

    /// <summary>The convolution by its definition, sums in double precision. Weights are not packed.</summary>
    public static void Reference(in Conv2DShape shape, float* x, float* weights, in Epilogue epilogue, float* y)
    {
        for (int n = 0; n < shape.Batch; n++)
        {
            for (int m = 0; m < shape.OutChannels; m++)
            {
                for (int pixel = 0; pixel < shape.OutPlane; pixel++)
                {
                    long at = ((long)n * shape.OutChannels + m) * shape.OutPlane + pixel;
                    double value = Sum(shape, x, weights, n, m, pixel / shape.OutWidth, pixel % shape.OutWidth);
                    if (epilogue.RowBias != null) value += epilogue.RowBias[m];
                    if (epilogue.ColumnBias != null) value += epilogue.ColumnBias[pixel];
                    if (epilogue.Residual != null) value += epilogue.Residual[at];
                    y[at] = epilogue.Activation.Apply((float)value);
                }
            }
        }
    }

    private static double Sum(in Conv2DShape shape, float* x, float* weights, int n, int m, int oy, int ox)
    {
        double sum = 0;
        int group = m / shape.GroupOutChannels;
        for (int c = 0; c < shape.GroupInChannels; c++)
        {
            float* plane = x + ((long)n * shape.InChannels + group * shape.GroupInChannels + c) * shape.InPlane;
            float* kernel = weights + ((long)m * shape.GroupInChannels + c) * shape.Taps;
            for (int tap = 0; tap < shape.Taps; tap++)
            {
                int iy = oy * shape.StrideHeight - shape.PadTop + tap / shape.KernelWidth * shape.DilationHeight;
                int ix = ox * shape.StrideWidth - shape.PadLeft + tap % shape.KernelWidth * shape.DilationWidth;
                if ((uint)iy < (uint)shape.InHeight && (uint)ix < (uint)shape.InWidth) sum += (double)plane[iy * shape.InWidth + ix] * kernel[tap];
            }
        }
        return sum;
    }

    internal static long GroupFloats(in Conv2DShape shape) => PackedMatrix.Bytes(PackedMatrix.Side.Left, shape.GroupOutChannels, shape.Inner) / sizeof(float);

    /// <summary>Few pixels and many channels: the image is packed once and the work is split over channels too.</summary>
    private static bool IsStaged(in Conv2DShape shape, FloatKernel kernel) =>
        (long)shape.Batch * shape.Groups * ColumnChunks(shape, kernel) < FewChunks && shape.GroupOutChannels > 2 * kernel.Rows;

    private static int ColumnChunks(in Conv2DShape shape, FloatKernel kernel) => (PackedMatrix.PanelCount(shape.OutPlane, kernel.Columns) + ColumnPanels - 1) / ColumnPanels;

    private static void RunStaged(in Conv2DShape shape, float* x, float* packedWeights, in Epilogue epilogue, float* y, float* scratch, FloatKernel kernel)
    {
        PackedMatrix columns = PackedMatrix.Over(PackedMatrix.Side.Right, shape.OutPlane, shape.Inner, scratch, kernel);
        for (int i = 0; i < shape.Batch * shape.Groups; i++)
        {
            int n = i / shape.Groups, group = i % shape.Groups;
            long atY = ((long)n * shape.OutChannels + group * shape.GroupOutChannels) * shape.OutPlane;
            var pack = new PackJob(shape.Flattened(), x + ((long)n * shape.InChannels + group * shape.GroupInChannels) * shape.InPlane, x + (long)shape.Batch * shape.InChannels * shape.InPlane, columns);
            Workers.Run(pack.Chunks, ref pack);
            var problem = new GemmProblem(shape.GroupOutChannels, shape.OutPlane, shape.Inner) { C = y + atY, StrideC = shape.OutPlane, Epilogue = Shift(epilogue, group * shape.GroupOutChannels, atY) };
            var weights = PackedMatrix.Over(PackedMatrix.Side.Left, shape.GroupOutChannels, shape.Inner, packedWeights + group * GroupFloats(shape), kernel);
            var multiply = new TileJob(problem, kernel, weights, columns, 0, weights.BlockCount, weights.BlockCount);
            Workers.Run(multiply.Chunks, ref multiply);
        }
    }

    internal static Epilogue Shift(Epilogue epilogue, int row, long element)
    {
        if (epilogue.RowBias != null) epilogue.RowBias += row;
        if (epilogue.Residual != null) epilogue.Residual += element;
        return epilogue;
    }

    /// <summary>A chunk packs one panel of the image for one block of the inner dimension.</summary>
    private readonly struct PackJob(Conv2DShape shape, float* image, float* end, PackedMatrix columns) : IJob
    {
        public int Chunks => columns.BlockCount * columns.PanelTotal;

        public void Run(int chunk)
        {
            int block = chunk / columns.PanelTotal, panel = chunk % columns.PanelTotal;
            new ImagePanels(shape, 0).Pack((uint*)image, (uint*)end, panel * columns.Panel, columns.BlockStart(block), columns.BlockStart(block + 1), (uint*)columns.PanelAt(block, panel), columns.Panel);
        }
    }

    /// <summary>A chunk is a range of output pixels of one image and group, all channels: it packs its part of the image itself, in the cache of its core.</summary>
    private readonly struct ColumnsJob(Conv2DShape shape, float* x, float* packedWeights, Epilogue epilogue, float* y, FloatKernel kernel) : IJob
    {
        private readonly Conv2DShape _flat = shape.Flattened();
        private readonly int _columnChunks = ColumnChunks(shape, kernel);
        private readonly long _groupFloats = GroupFloats(shape);

        public int Chunks => shape.Batch * shape.Groups * _columnChunks;

        public void Run(int chunk)
        {
            int image = chunk / (shape.Groups * _columnChunks), group = chunk / _columnChunks % shape.Groups, part = chunk % _columnChunks;
            int panels = PackedMatrix.PanelCount(shape.OutPlane, kernel.Columns), firstPanel = part * ColumnPanels, endPanel = Math.Min(firstPanel + ColumnPanels, panels);
            var weights = PackedMatrix.Over(PackedMatrix.Side.Left, shape.GroupOutChannels, shape.Inner, packedWeights + group * _groupFloats, kernel);
            int longest = weights.BlockSize(0);
            float* scratch = (float*)ThreadScratch.Get(((long)longest * kernel.Columns * ColumnPanels + kernel.Rows * kernel.Columns) * sizeof(float));
            float* tile = scratch + (long)longest * kernel.Columns * ColumnPanels;
            long atY = ((long)image * shape.OutChannels + group * shape.GroupOutChannels) * shape.OutPlane;
            var store = new TileStore(y + atY, shape.OutPlane, 1, 0, Shift(epilogue, group * shape.GroupOutChannels, atY));
            var packer = new ImagePanels(_flat, 0);
            float* plane = x + ((long)image * shape.InChannels + group * shape.GroupInChannels) * shape.InPlane, end = x + (long)shape.Batch * shape.InChannels * shape.InPlane;
            for (int block = 0; block < weights.BlockCount; block++)
            {
                int start = weights.BlockStart(block), length = weights.BlockSize(block);
                for (int panel = firstPanel; panel < endPanel; panel++)
                {
                    float* packed = scratch + (long)(panel - firstPanel) * longest * kernel.Columns;
                    packer.Pack((uint*)plane, (uint*)end, panel * kernel.Columns, start, start + length, (uint*)packed, kernel.Columns);
                    int columns = Math.Min(kernel.Columns, shape.OutPlane - panel * kernel.Columns);
                    for (int row = 0; row < weights.PanelTotal; row++)
                    {
                        int rows = Math.Min(kernel.Rows, shape.GroupOutChannels - row * kernel.Rows);
                        kernel.Body(length, weights.PanelAt(block, row), packed, kernel.PanelOffsets, tile, rows, columns, false);
                        store.Write(tile, kernel.Columns, row * kernel.Rows, panel * kernel.Columns, rows, columns, block == 0, block == weights.BlockCount - 1);
                    }
                }
            }
        }
    }
}
