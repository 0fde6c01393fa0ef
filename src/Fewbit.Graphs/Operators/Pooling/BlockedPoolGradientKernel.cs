using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators;

/// <summary>Gradients of maximum and average pooling on blocks of 16 channels. Inputs dy and, for the maximum, x.</summary>
internal sealed unsafe class BlockedPoolGradientKernel(WindowAxis rows, WindowAxis columns, int blocks, bool isMaximum, bool countsPad) : IKernel
{
    /// <param name="shape">Rows and columns.</param>
    /// <param name="x">Shape of the image, [N, C, H, W].</param>
    /// <param name="isMaximum">Maximum or mean.</param>
    /// <param name="countsPad">Whether padding counts in a mean.</param>
    public static BlockedPoolGradientKernel Of(PoolGeometry shape, Shape x, bool isMaximum, bool countsPad) =>
        new(shape.Axes[1], shape.Axes[2], checked((int)(x[0] * ((x[1] + 15) / 16))), isMaximum, countsPad);

    public void Run(EvaluationContext context)
    {
        var job = new BlockJob((float*)context.Input(0).Address, isMaximum ? (float*)context.Input(1).Address : null, (float*)context.Output(0).Address, rows, columns, countsPad);
        Workers.Run(blocks, ref job);
        GC.KeepAlive(context);
    }

    /// <summary>A chunk is one block of one image: windows overlap, so that no two threads may share it.</summary>
    private readonly struct BlockJob(float* dy, float* x, float* dx, WindowAxis rows, WindowAxis columns, bool countsPad) : IJob
    {
        private const int Lanes = 16;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run(int chunk)
        {
            long image = (long)chunk * rows.In * columns.In * Lanes;
            float* gradient = dy + (long)chunk * rows.Out * columns.Out * Lanes;
            new Span<float>(dx + image, rows.In * columns.In * Lanes).Clear();
            for (int row = 0; row < rows.Out; row++)
            {
                int firstRow = rows.FirstTap(row), height = rows.EndTap(row) - firstRow, rowCount = WindowRange.CountOf(rows, row, countsPad);
                for (int column = 0; column < columns.Out; column++, gradient += Lanes)
                {
                    int firstColumn = columns.FirstTap(column), width = columns.EndTap(column) - firstColumn;
                    if (height <= 0 || width <= 0) continue;
                    long start = image + ((long)rows.Position(row, firstRow) * columns.In + columns.Position(column, firstColumn)) * Lanes;
                    Vector512<float> given = Vector512.Load(gradient);
                    if (x != null) Scatter(start, height, width, given);
                    else Spread(start, height, width, given / Vector512.Create((float)Math.Max(1, rowCount * WindowRange.CountOf(columns, column, countsPad))));
                }
            }
        }

        /// <summary>Each lane's number goes to the first of its largest elements, or to its last NaN.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Scatter(long start, int height, int width, Vector512<float> given)
        {
            long rowStep = (long)rows.Dilation * columns.In * Lanes, columnStep = (long)columns.Dilation * Lanes;
            Vector512<float> largest = Vector512.Load(x + start), place = Vector512<float>.Zero, tap = Vector512<float>.Zero;
            for (int i = 0; i < height; i++)
            {
                for (int j = 0; j < width; j++, tap += Vector512<float>.One)
                {
                    Vector512<float> value = Vector512.Load(x + start + i * rowStep + j * columnStep), isBetter = Vector512.GreaterThan(value, largest) | ~Vector512.Equals(value, value);
                    largest = Vector512.ConditionalSelect(isBetter, value, largest);
                    place = Vector512.ConditionalSelect(isBetter, tap, place);
                }
            }
            tap = Vector512<float>.Zero;
            for (int i = 0; i < height; i++)
            {
                for (int j = 0; j < width; j++, tap += Vector512<float>.One)
                {
                    float* to = dx + start + i * rowStep + j * columnStep;
                    (Vector512.Load(to) + Vector512.ConditionalSelect(Vector512.Equals(place, tap), given, Vector512<float>.Zero)).Store(to);
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Spread(long start, int height, int width, Vector512<float> part)
        {
            long rowStep = (long)rows.Dilation * columns.In * Lanes, columnStep = (long)columns.Dilation * Lanes;
            for (int i = 0; i < height; i++)
            {
                for (int j = 0; j < width; j++)
                {
                    float* to = dx + start + i * rowStep + j * columnStep;
                    (Vector512.Load(to) + part).Store(to);
                }
            }
        }
    }
}
