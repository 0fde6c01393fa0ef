using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>Winograd F(4,3): a 3x3 convolution at stride 1 with a quarter of the multiplications. Float, NCHW in and out; its sums differ from the direct ones by about 5e-6 of the largest.</summary>
/// <remarks>
/// Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, arXiv:1509.09308. Tiles of 4x4 outputs from 6x6 inputs, 36 products of [M, C] by [C, tiles].
/// The inputs of all tiles are the 36 taps of a 6x6 kernel at stride 4: in padded planes that are split into 4x4 phases each is one contiguous run, so the transforms are plain vector arithmetic.
/// Integer-valued inputs do not give exact integers: <see cref="Conv2D"/> never takes this route by itself.
/// </remarks>
internal static unsafe class WinogradConv2D
{
    internal const int Points = 36, Columns = 32;
    private const int ManyImages = 8;
    private const int ChannelsPerChunk = 8;

    /// <summary>Whether this route exists for the shape and is the faster one.</summary>
    /// <remarks>Measured on Zen 4: the transforms cost about 30 / M + 45 / C of the products.</remarks>
    public static bool Fits(in Conv2DShape shape)
    {
        if (KernelPaths.Active < KernelPath.Avx512 || shape.IsEmpty || shape.Groups != 1 || shape.KernelHeight != 3 || shape.KernelWidth != 3) return false;
        if (shape.StrideHeight != 1 || shape.StrideWidth != 1 || shape.DilationHeight != 1 || shape.DilationWidth != 1) return false;
        double products = 2.0 * PackedMatrix.PanelCount(Tiling(shape).Span, Columns / 2) * (1 + 30.0 / shape.OutChannels + 45.0 / shape.InChannels);
        return products < 0.85 / 2 * PackedMatrix.PanelCount(new DepthwiseConv2D.Phases(shape).Span, Columns / 2);
    }

    /// <summary>Four times the bytes of the direct route.</summary>
    public static long PackedWeightBytes(in Conv2DShape shape) => Points * PointBytes(shape);

    /// <summary>Transforms and packs w [M, C, 3, 3].</summary>
    public static void PackWeights(in Conv2DShape shape, float* weights, float* packed)
    {
        float* transformed = (float*)NativeMemory.AlignedAlloc((nuint)shape.OutChannels * (nuint)shape.InChannels * sizeof(float), 64);
        try
        {
            for (int point = 0; point < Points; point++)
            {
                for (int pair = 0; pair < shape.OutChannels * shape.InChannels; pair++) transformed[pair] = WinogradTransforms.Weight(weights + pair * 9L, point);
                PackedMatrix.Pack(PackedMatrix.Side.Left, transformed, shape.InChannels, false, shape.OutChannels, shape.InChannels, (float*)((byte*)packed + point * PointBytes(shape)));
            }
        }
        finally
        {
            NativeMemory.AlignedFree(transformed);
        }
    }

    /// <summary>Shared scratch that <see cref="Run"/> needs, aligned to 64.</summary>
    public static long ScratchBytes(in Conv2DShape shape) => shape.Batch >= ManyImages ? 0 : ImageFloats(shape) * sizeof(float);

    /// <summary>y = epilogue(conv(x, w)), as <see cref="Conv2D.Run"/>.</summary>
    public static void Run(in Conv2DShape shape, float* x, float* packedWeights, in Epilogue epilogue, float* y, void* scratch)
    {
        if (shape.IsEmpty) return;
        var work = new Work(shape, x, packedWeights, epilogue, y);
        if (shape.Batch >= ManyImages)
        {
            var images = new ImageJob(work);
            Workers.Run(shape.Batch, ref images);
            return;
        }
        for (int image = 0; image < shape.Batch; image++)
        {
            var copy = new CopyJob(work, image, (float*)scratch);
            Workers.Run(copy.Chunks, ref copy);
            for (int tile = 0; tile < work.Tiles; tile++)
            {
                var transform = new TransformJob(work, tile, (float*)scratch);
                Workers.Run(transform.Chunks, ref transform);
                var multiply = new MultiplyJob(work, image, tile, (float*)scratch);
                Workers.Run(work.RowPanels, ref multiply);
            }
        }
    }

    private static long PointBytes(in Conv2DShape shape) => (PackedMatrix.Bytes(PackedMatrix.Side.Left, shape.OutChannels, shape.InChannels) + 63) / 64 * 64;

    /// <summary>The planes of one image, then the transformed inputs of one tile of columns.</summary>
    private static long ImageFloats(in Conv2DShape shape) => PlaneFloats(shape) + (long)Points * shape.InChannels * Columns;

    private static long PlaneFloats(in Conv2DShape shape) => ((long)shape.InChannels * Tiling(shape).Elements + 64 + 15) / 16 * 16;

    /// <summary>The 6x6 inputs of a tile as the taps of a kernel at stride 4.</summary>
    private static DepthwiseConv2D.Phases Tiling(in Conv2DShape shape)
    {
        int rows = (shape.OutHeight + 3) / 4, columns = (shape.OutWidth + 3) / 4;
        return new(new Conv2DShape(1, shape.InChannels, shape.InHeight, shape.InWidth, 1, 6, 6)
        {
            StrideHeight = 4,
            StrideWidth = 4,
            PadTop = shape.PadTop,
            PadLeft = shape.PadLeft,
            PadBottom = 4 * rows + 2 - shape.InHeight - shape.PadTop,
            PadRight = 4 * columns + 2 - shape.InWidth - shape.PadLeft,
        });
    }

    /// <summary>Everything that the chunks share.</summary>
    private readonly struct Work(Conv2DShape shape, float* x, float* packedWeights, Epilogue epilogue, float* y)
    {
        private readonly DepthwiseConv2D.Phases _phases = Tiling(shape);
        private readonly FloatKernel _kernel = FloatKernel.Active;
        private readonly long _pointBytes = PointBytes(shape), _planeFloats = PlaneFloats(shape);
        private readonly int _outHeight = shape.OutHeight, _outWidth = shape.OutWidth;

        public int Channels => shape.InChannels;

        public int Tiles => PackedMatrix.PanelCount(_phases.Span, Columns);

        public int RowPanels => PackedMatrix.PanelCount(shape.OutChannels, _kernel.Rows);

        public long ImageBytes => ImageFloats(shape) * sizeof(float);

        public long ProductBytes => (long)Points * _kernel.Rows * Columns * sizeof(float);

        public void Copy(int image, float* scratch, int first, int end)
        {
            float* readEnd = x + (long)shape.Batch * shape.InChannels * shape.InPlane;
            for (int c = first; c < end; c++) _phases.Copy(x + ((long)image * shape.InChannels + c) * shape.InPlane, readEnd, scratch + (long)c * _phases.Elements);
        }

        public void Transform(int tile, float* scratch, int first, int end)
        {
            int* offsets = stackalloc int[Points];
            for (int point = 0; point < Points; point++) offsets[point] = _phases.OffsetOf(point);
            for (int c = first; c < end; c++)
            {
                float* from = scratch + (long)c * _phases.Elements + tile * Columns, to = scratch + _planeFloats + c * Columns;
                WinogradTransforms.Input(from, offsets, to, shape.InChannels * Columns);
                WinogradTransforms.Input(from + 16, offsets, to + 16, shape.InChannels * Columns);
            }
        }

        public void Multiply(int image, int tile, int panel, float* scratch, float* products)
        {
            int rows = Math.Min(_kernel.Rows, shape.OutChannels - panel * _kernel.Rows), columns = _phases.Span - tile * Columns;
            for (int point = 0; point < Points; point++)
            {
                var weights = PackedMatrix.Over(PackedMatrix.Side.Left, shape.OutChannels, shape.InChannels, (float*)((byte*)packedWeights + point * _pointBytes), _kernel);
                float* inputs = scratch + _planeFloats + (long)point * shape.InChannels * Columns;
                for (int block = 0; block < weights.BlockCount; block++)
                    _kernel.Body(weights.BlockSize(block), weights.PanelAt(block, panel), inputs + weights.BlockStart(block) * Columns, _kernel.PanelOffsets, products + (long)point * _kernel.Rows * Columns, rows, columns, block > 0);
            }
            float* results = stackalloc float[16 * 16];
            for (int r = 0; r < rows; r++)
            {
                for (int half = 0; half < Math.Min(columns, Columns); half += 16)
                {
                    WinogradTransforms.Output(products + r * Columns + half, _kernel.Rows * Columns, results);
                    Store(image, panel * _kernel.Rows + r, tile * Columns + half, results);
                }
            }
        }

        /// <summary>Writes 16 tiles of 4x4 outputs; results lie output by output, 16 tiles each.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Store(int image, int channel, int first, float* results)
        {
            float bias = epilogue.RowBias == null ? 0 : epilogue.RowBias[channel];
            long plane = ((long)image * shape.OutChannels + channel) * _outHeight * _outWidth;
            float* residual = epilogue.Residual == null ? null : epilogue.Residual + plane;
            Activation activation = epilogue.Activation;
            int row = first / _phases.Width, column = first % _phases.Width, count = Math.Min(16, _phases.Span - first);
            for (int lane = 0; lane < count; lane++, column++)
            {
                if (column == _phases.Width) (row, column) = (row + 1, 0);
                int at = 4 * row * _outWidth + 4 * column, height = Math.Min(4, _outHeight - 4 * row), width = Math.Min(4, _outWidth - 4 * column);
                for (int i = 0; i < height; i++, at += _outWidth)
                {
                    for (int j = 0; j < width; j++)
                    {
                        float value = results[(4 * i + j) * 16 + lane] + bias;
                        if (residual != null) value += residual[at + j];
                        y[plane + at + j] = activation.Apply(value);
                    }
                }
            }
        }
    }

    /// <summary>A chunk is one image.</summary>
    private readonly struct ImageJob(Work work) : IJob
    {
        public void Run(int chunk)
        {
            float* scratch = (float*)ThreadScratch.Get(work.ImageBytes + work.ProductBytes), products = (float*)((byte*)scratch + work.ImageBytes);
            work.Copy(chunk, scratch, 0, work.Channels);
            for (int tile = 0; tile < work.Tiles; tile++)
            {
                work.Transform(tile, scratch, 0, work.Channels);
                for (int panel = 0; panel < work.RowPanels; panel++) work.Multiply(chunk, tile, panel, scratch, products);
            }
        }
    }

    private readonly struct CopyJob(Work work, int image, float* scratch) : IJob
    {
        public int Chunks => (work.Channels + ChannelsPerChunk - 1) / ChannelsPerChunk;

        public void Run(int chunk) => work.Copy(image, scratch, chunk * ChannelsPerChunk, Math.Min((chunk + 1) * ChannelsPerChunk, work.Channels));
    }

    private readonly struct TransformJob(Work work, int tile, float* scratch) : IJob
    {
        public int Chunks => (work.Channels + ChannelsPerChunk - 1) / ChannelsPerChunk;

        public void Run(int chunk) => work.Transform(tile, scratch, chunk * ChannelsPerChunk, Math.Min((chunk + 1) * ChannelsPerChunk, work.Channels));
    }

    /// <summary>A chunk is one panel of output channels.</summary>
    private readonly struct MultiplyJob(Work work, int image, int tile, float* scratch) : IJob
    {
        public void Run(int chunk) => work.Multiply(image, tile, chunk, scratch, (float*)ThreadScratch.Get(work.ProductBytes));
    }
}
