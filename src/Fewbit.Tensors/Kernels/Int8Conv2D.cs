using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>8-bit convolution, NCHW in and out, exact in int32, then requantized; padding is the zero point of the activations.</summary>
/// <remarks>
/// Four channels of a pixel become one word, so that the image is packed as a float image is. Depthwise sums are computed on floats: integers below 2^24, hence exact.
/// </remarks>
internal static unsafe class Int8Conv2D
{
    private const int ColumnPanels = 4;
    private const int FewChunks = 8;

    public static long PackedWeightBytes(in Conv2DShape shape) => Int8Depthwise.Fits(shape) ? Int8Depthwise.PackedWeightBytes(shape) : GroupBytes(shape) * shape.Groups;

    /// <summary>Packs w [M, C / groups, kH, kW] once for many runs. Strides of <paramref name="weights"/> are set here.</summary>
    public static void PackWeights(in Conv2DShape shape, Int8Weights weights, void* packed)
    {
        (weights.OuterStride, weights.ChannelStride) = (shape.Inner, shape.Taps);
        if (Int8Depthwise.Fits(shape))
        {
            Int8Depthwise.PackWeights(shape, weights, (float*)packed);
            return;
        }
        Int8Kernel kernel = Int8Kernel.Active;
        for (int group = 0; group < shape.Groups; group++)
        {
            Int8Weights part = weights;
            part.Data += (long)group * shape.GroupOutChannels * shape.Inner;
            if (part.ZeroPoints != null && part.IsPerChannel) part.ZeroPoints += group * shape.GroupOutChannels;
            PackedInt8.Pack(part, shape.GroupOutChannels, shape.GroupInChannels, shape.Taps, kernel.Rows, kernel.Path, (byte*)packed + group * GroupBytes(shape));
        }
    }

    public static long ScratchBytes(in Conv2DShape shape)
    {
        if (shape.IsEmpty || Int8Depthwise.Fits(shape)) return 0;
        Int8Kernel kernel = Int8Kernel.Active;
        return Int8Gemm.OffsetBytes(shape.OutChannels) + QuadBytes(shape) + (IsStaged(shape, kernel) ? StagedBytes(shape, kernel) : 0);
    }

    /// <param name="shape">The convolution.</param>
    /// <param name="x">Codes [N, C, H, W].</param>
    /// <param name="input">Their type and zero point.</param>
    /// <param name="packedWeights">From <see cref="PackWeights"/> on the same kernel path.</param>
    /// <param name="target">Bias [M], scales, type of y.</param>
    /// <param name="y">[N, M, OutHeight, OutWidth].</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> bytes, aligned to 64.</param>
    public static void Run(in Conv2DShape shape, byte* x, Int8Input input, void* packedWeights, in Requantization target, void* y, void* scratch)
    {
        if (shape.IsEmpty) return;
        if (Int8Depthwise.Fits(shape))
        {
            Int8Depthwise.Run(shape, x, input, (float*)packedWeights, target, y);
            return;
        }
        Int8Kernel kernel = Int8Kernel.Active;
        int* offsets = (int*)scratch;
        for (int group = 0; group < shape.Groups; group++)
            Int8Gemm.Offsets(GroupWeights(shape, kernel, packedWeights, group), input, target.Bias == null ? null : target.Bias + group * shape.GroupOutChannels, offsets + group * shape.GroupOutChannels);
        uint* quads = (uint*)((byte*)scratch + Int8Gemm.OffsetBytes(shape.OutChannels));
        var pack = new QuadJob(shape, x, input, quads);
        Workers.Run(shape.Batch * shape.Groups * Quads(shape), ref pack);
        var multiply = new MultiplyJob(shape, kernel, input, quads, packedWeights, offsets, target, (byte*)y);
        if (!IsStaged(shape, kernel))
        {
            Workers.Run(shape.Batch * shape.Groups * multiply.ColumnChunks, ref multiply);
            return;
        }
        uint* staged = (uint*)((byte*)quads + QuadBytes(shape));
        int panels = PackedMatrix.PanelCount(shape.OutPlane, kernel.Columns);
        for (int image = 0; image < shape.Batch * shape.Groups; image++)
        {
            var stage = new StageJob(multiply, image, staged);
            Workers.Run(panels, ref stage);
            var tiles = new StagedMultiplyJob(multiply, image, staged);
            Workers.Run(PackedMatrix.PanelCount(shape.GroupOutChannels, kernel.Rows), ref tiles);
        }
    }

    /// <summary>By its definition; weights as the model stores them.</summary>
    public static void Reference(in Conv2DShape shape, byte* x, Int8Input input, Int8Weights weights, in Requantization target, void* y)
    {
        (weights.OuterStride, weights.ChannelStride) = (shape.Inner, shape.Taps);
        var write = new Requantizer(target);
        for (int n = 0; n < shape.Batch; n++)
        {
            for (int m = 0; m < shape.OutChannels; m++)
            {
                for (int pixel = 0; pixel < shape.OutPlane; pixel++)
                {
                    int sum = Sum(shape, x, input, weights, n, m, pixel / shape.OutWidth, pixel % shape.OutWidth);
                    write.Row(&sum, 1, target.Bias == null ? 0 : target.Bias[m], m, (byte*)y + (((long)n * shape.OutChannels + m) * shape.OutPlane + pixel) * target.ElementBytes);
                }
            }
        }
    }

    private static int Sum(in Conv2DShape shape, byte* x, Int8Input input, in Int8Weights weights, int n, int m, int oy, int ox)
    {
        int sum = 0, group = m / shape.GroupOutChannels;
        for (int c = 0; c < shape.GroupInChannels; c++)
        {
            byte* plane = x + ((long)n * shape.InChannels + group * shape.GroupInChannels + c) * shape.InPlane;
            for (int tap = 0; tap < shape.Taps; tap++)
            {
                int iy = oy * shape.StrideHeight - shape.PadTop + tap / shape.KernelWidth * shape.DilationHeight;
                int ix = ox * shape.StrideWidth - shape.PadLeft + tap % shape.KernelWidth * shape.DilationWidth;
                if ((uint)iy < (uint)shape.InHeight && (uint)ix < (uint)shape.InWidth) sum += Int8Gemm.Value(plane[iy * shape.InWidth + ix], input) * Int8Gemm.Value(weights, m, c, tap);
            }
        }
        return sum;
    }

    private static int Quads(in Conv2DShape shape) => (shape.GroupInChannels + 3) / 4;

    private static long QuadBytes(in Conv2DShape shape) => ((long)shape.Batch * shape.Groups * Quads(shape) * shape.InPlane * sizeof(uint) + 63) / 64 * 64;

    private static long GroupBytes(in Conv2DShape shape) => PackedInt8.Bytes(shape.GroupOutChannels, shape.GroupInChannels, shape.Taps, Int8Kernel.Active.Rows);

    private static PackedInt8 GroupWeights(in Conv2DShape shape, Int8Kernel kernel, void* packed, int group) =>
        PackedInt8.Over((byte*)packed + group * GroupBytes(shape), shape.GroupOutChannels, shape.GroupInChannels, shape.Taps, kernel.Rows, kernel.Path);

    private static bool IsStaged(in Conv2DShape shape, Int8Kernel kernel) =>
        (long)shape.Batch * shape.Groups * ((PackedMatrix.PanelCount(shape.OutPlane, kernel.Columns) + ColumnPanels - 1) / ColumnPanels) < FewChunks && shape.GroupOutChannels > 2 * kernel.Rows;

    private static long StagedBytes(in Conv2DShape shape, Int8Kernel kernel) =>
        (long)PackedMatrix.PanelCount(shape.OutPlane, kernel.Columns) * kernel.Columns * Quads(shape) * shape.Taps * sizeof(uint);

    /// <summary>The image as words of four channels: a chunk is one plane of words.</summary>
    private readonly struct QuadJob(Conv2DShape shape, byte* x, Int8Input input, uint* quads) : IJob
    {
        public void Run(int chunk)
        {
            int perGroup = Quads(shape), quad = chunk % perGroup, channels = Math.Min(4, shape.GroupInChannels - 4 * quad);
            byte* plane = x + ((long)(chunk / perGroup) * shape.GroupInChannels + 4 * quad) * shape.InPlane;
            Interleave.Planes(plane, channels, shape.InPlane, input.Flip, quads + (long)chunk * shape.InPlane);
        }
    }

    /// <summary>A chunk is a range of output pixels of one image and group, all channels.</summary>
    private readonly struct MultiplyJob(Conv2DShape shape, Int8Kernel kernel, Int8Input input, uint* quads, void* packedWeights, int* offsets, Requantization target, byte* y) : IJob
    {
        private readonly Conv2DShape _words = (shape with { InChannels = shape.Groups * Quads(shape) }).Flattened();

        public int ColumnChunks => (PackedMatrix.PanelCount(shape.OutPlane, kernel.Columns) + ColumnPanels - 1) / ColumnPanels;

        public int Words => Quads(shape) * shape.Taps;

        public int PanelWords => Words * kernel.Columns;

        public void Run(int chunk)
        {
            int image = chunk / ColumnChunks, first = chunk % ColumnChunks * ColumnPanels;
            int end = Math.Min(first + ColumnPanels, PackedMatrix.PanelCount(shape.OutPlane, kernel.Columns));
            uint* panel = (uint*)ThreadScratch.Get(PanelWords * (long)sizeof(uint));
            for (int p = first; p < end; p++)
            {
                Pack(image, p, panel);
                Multiply(image, p, panel, 0, PackedMatrix.PanelCount(shape.GroupOutChannels, kernel.Rows));
            }
        }

        /// <remarks>An image is counted as batch index times groups, plus group.</remarks>
        public void Pack(int image, int panel, uint* to)
        {
            uint* end = quads + (long)shape.Batch * shape.Groups * Quads(shape) * shape.InPlane;
            new ImagePanels(_words, (uint)(byte)input.StoredZeroPoint * 0x01010101u).Pack(quads + (long)image * Quads(shape) * shape.InPlane, end, panel * kernel.Columns, 0, Words, to, kernel.Columns);
        }

        public void Multiply(int image, int panel, uint* packed, int firstRow, int endRow)
        {
            int group = image % shape.Groups, column = panel * kernel.Columns, columns = Math.Min(kernel.Columns, shape.OutPlane - column);
            PackedInt8 weights = GroupWeights(shape, kernel, packedWeights, group);
            int* tile = stackalloc int[2 * kernel.Rows * kernel.Columns + 16];
            tile = (int*)(((nint)tile + 63) & ~63);
            int* pixelSums = tile + kernel.Rows * kernel.Columns;
            if (weights.HasZeroPoints) kernel.SignedLeft(weights.Words, weights.Ones, (byte*)packed, pixelSums, 1);
            var write = new Requantizer(target);
            for (int row = firstRow; row < endRow; row++)
            {
                int rows = Math.Min(kernel.Rows, shape.GroupOutChannels - row * kernel.Rows);
                kernel.SignedLeft(weights.Words, weights.PanelAt(row), (byte*)packed, tile, rows);
                for (int r = 0; r < rows; r++)
                {
                    int inGroup = row * kernel.Rows + r, channel = group * shape.GroupOutChannels + inGroup;
                    int* sums = tile + r * kernel.Columns;
                    if (weights.HasZeroPoints)
                        for (int i = 0; i < columns; i++) sums[i] -= weights.ZeroPoints[inGroup] * pixelSums[i];
                    long at = ((long)image * shape.GroupOutChannels + inGroup) * shape.OutPlane + column;
                    write.Row(sums, columns, offsets[channel], channel, y + at * target.ElementBytes);
                }
            }
        }

        public int PanelCount => PackedMatrix.PanelCount(shape.OutPlane, kernel.Columns);
    }

    /// <summary>A chunk packs one panel for all rows.</summary>
    private readonly struct StageJob(MultiplyJob work, int image, uint* staged) : IJob
    {
        public void Run(int chunk) => work.Pack(image, chunk, staged + (long)chunk * work.PanelWords);
    }

    /// <summary>A chunk is one panel of output channels, all pixels.</summary>
    private readonly struct StagedMultiplyJob(MultiplyJob work, int image, uint* staged) : IJob
    {
        public void Run(int chunk)
        {
            for (int panel = 0; panel < work.PanelCount; panel++) work.Multiply(image, panel, staged + (long)panel * work.PanelWords, chunk, chunk + 1);
        }
    }
}
