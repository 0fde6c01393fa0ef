using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators;

/// <summary>Maximum and average pooling of blocks of 16 channels: each window is a few whole vectors.</summary>
internal sealed unsafe class BlockedPoolKernel(WindowAxis rows, WindowAxis columns, int batch, int blocksPerImage, bool isMaximum, bool countsPad) : IKernel
{
    /// <param name="shape">Rows and columns.</param>
    /// <param name="x">Shape of the input, [N, C, H, W].</param>
    /// <param name="isMaximum">Maximum or mean.</param>
    /// <param name="countsPad">Whether padding counts in a mean.</param>
    public static BlockedPoolKernel Of(PoolGeometry shape, Shape x, bool isMaximum, bool countsPad) =>
        new(shape.Axes[1], shape.Axes[2], checked((int)x[0]), checked((int)((x[1] + 15) / 16)), isMaximum, countsPad);

    public void Run(EvaluationContext context)
    {
        var job = new RowsJob((float*)context.Input(0).Address, (float*)context.Output(0).Address, rows, columns, batch, blocksPerImage, isMaximum, countsPad);
        Workers.Run(job.Chunks, ref job);
    }

    /// <summary>A chunk is some rows of outputs of one block of channels.</summary>
    private readonly struct RowsJob(float* x, float* y, WindowAxis rows, WindowAxis columns, int batch, int blocksPerImage, bool isMaximum, bool countsPad) : IJob
    {
        private const int Lanes = 16, VectorsPerChunk = 1024;
        private readonly int _rowsPerChunk = Math.Clamp(VectorsPerChunk / Math.Max(1, columns.Out), 1, Math.Max(1, rows.Out));

        public int Chunks => batch * blocksPerImage * ChunksPerBlock;

        private int ChunksPerBlock => (rows.Out + _rowsPerChunk - 1) / _rowsPerChunk;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run(int chunk)
        {
            // Rows before blocks: the convolution before split its pixels alike, and a core finds them in its own cache.
            int image = chunk / (ChunksPerBlock * blocksPerImage), part = chunk / blocksPerImage % ChunksPerBlock, block = image * blocksPerImage + chunk % blocksPerImage;
            int start = part * _rowsPerChunk, end = Math.Min(start + _rowsPerChunk, rows.Out);
            float* from = x + (long)block * rows.In * columns.In * Lanes, to = y + ((long)block * rows.Out + start) * columns.Out * Lanes;
            for (int row = start; row < end; row++)
            {
                int first = rows.FirstTap(row), last = rows.EndTap(row), count = WindowRange.CountOf(rows, row, countsPad);
                float* top = from + (long)rows.Position(row, first) * columns.In * Lanes;
                for (int column = 0; column < columns.Out; column++, to += Lanes)
                {
                    if (isMaximum) Maximum(top, last - first, column).Store(to);
                    else (Sum(top, last - first, column) / Vector512.Create((float)Math.Max(1, count * WindowRange.CountOf(columns, column, countsPad)))).Store(to);
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private Vector512<float> Maximum(float* top, int height, int column)
        {
            var result = Vector512.Create(float.NegativeInfinity);
            int first = columns.FirstTap(column), width = columns.EndTap(column) - first;
            float* row = top + (long)columns.Position(column, first) * Lanes;
            for (int i = 0; i < height; i++, row += (long)rows.Dilation * columns.In * Lanes)
            {
                for (int j = 0; j < width; j++)
                {
                    // The comparison keeps a NaN of the second operand, which the processor's maximum would not do on every path.
                    Vector512<float> value = Vector512.Load(row + (long)j * columns.Dilation * Lanes);
                    result = Vector512.ConditionalSelect(Vector512.GreaterThanOrEqual(result, value), result, value);
                }
            }
            return result;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private Vector512<float> Sum(float* top, int height, int column)
        {
            var result = Vector512<float>.Zero;
            int first = columns.FirstTap(column), width = columns.EndTap(column) - first;
            float* row = top + (long)columns.Position(column, first) * Lanes;
            for (int i = 0; i < height; i++, row += (long)rows.Dilation * columns.In * Lanes)
            {
                for (int j = 0; j < width; j++) result += Vector512.Load(row + (long)j * columns.Dilation * Lanes);
            }
            return result;
        }
    }
}

/// <summary>The means or maxima of planes in blocks of 16 channels, row-major.</summary>
internal sealed unsafe class BlockedGlobalPoolKernel(int batch, int channels, int length, bool isMaximum) : IKernel
{
    public void Run(EvaluationContext context)
    {
        var job = new BlockJob((float*)context.Input(0).Address, (float*)context.Output(0).Address, channels, length, isMaximum);
        Workers.Run(batch * job.BlocksPerImage, ref job);
    }

    private readonly struct BlockJob(float* x, float* y, int channels, int length, bool isMaximum) : IJob
    {
        private const int Lanes = 16;

        public int BlocksPerImage => (channels + Lanes - 1) / Lanes;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run(int chunk)
        {
            int image = chunk / BlocksPerImage, first = chunk % BlocksPerImage * Lanes;
            float* from = x + (long)chunk * length * Lanes;
            Vector512<float> result = isMaximum ? Maximum(from) : Sum(from) / Vector512.Create((float)length);
            float* to = y + (long)image * channels + first;
            if (first + Lanes <= channels)
            {
                result.Store(to);
                return;
            }
            for (int lane = 0; first + lane < channels; lane++) to[lane] = result[lane];
        }

        private Vector512<float> Maximum(float* from)
        {
            Vector512<float> result = Vector512.Load(from);
            for (int i = 1; i < length; i++)
            {
                Vector512<float> value = Vector512.Load(from + (long)i * Lanes);
                result = Vector512.ConditionalSelect(Vector512.GreaterThanOrEqual(result, value), result, value);
            }
            return result;
        }

        private Vector512<float> Sum(float* from)
        {
            Vector512<float> a = Vector512<float>.Zero, b = a, c = a, d = a;
            int i = 0;
            for (; i + 4 <= length; i += 4)
            {
                float* at = from + (long)i * Lanes;
                a += Vector512.Load(at);
                b += Vector512.Load(at + Lanes);
                c += Vector512.Load(at + 2 * Lanes);
                d += Vector512.Load(at + 3 * Lanes);
            }
            for (; i < length; i++) a += Vector512.Load(from + (long)i * Lanes);
            return a + b + (c + d);
        }
    }
}
