using System.Numerics;
using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators;

/// <summary>Maximum or mean pooling of one or two dimensions in float32: rows are combined first, then columns of the combined row.</summary>
internal sealed unsafe class PlanarPoolKernel : IKernel
{
    private readonly PoolGeometry _shape;
    private readonly bool _isMaximum;
    private readonly Fewbit.Tensors.Tensor? _counts;

    public PlanarPoolKernel(PoolGeometry shape, bool isMaximum, bool countsPad)
    {
        (_shape, _isMaximum) = (shape, isMaximum);
        if (!isMaximum) _counts = Counts(shape, countsPad);
    }

    public void Run(EvaluationContext context)
    {
        float* counts = _counts is null ? null : (float*)_counts.Address;
        var job = new PlaneJob(_shape.Axes[1], _shape.Axes[2], _shape.Planes, (float*)context.Input(0).Address, (float*)context.Output(0).Address, counts, _isMaximum);
        Workers.Run(job.Chunks, ref job);
    }

    /// <summary>Elements that each output averages, as a plane.</summary>
    private static Fewbit.Tensors.Tensor Counts(PoolGeometry shape, bool countsPad)
    {
        var counts = new float[shape.OutPlane];
        shape.ForEachWindow((at, window) => counts[at] = Math.Max(1, window.Count(countsPad)));
        return Fewbit.Tensors.Tensor.From<float>(counts);
    }

    private readonly struct PlaneJob(WindowAxis rows, WindowAxis columns, int planes, float* x, float* y, float* counts, bool isMaximum) : IJob
    {
        private readonly int _planesPerChunk = Math.Max(1, 32768 / Math.Max(1, rows.In * columns.In));
        private readonly float _empty = isMaximum ? float.NegativeInfinity : 0;

        public int Chunks => (planes + _planesPerChunk - 1) / _planesPerChunk;

        public void Run(int chunk)
        {
            // Room for the padding on both sides, and for a vector that reads past the end.
            int width = Math.Max(columns.PadBegin + columns.In, (columns.Out - 1) * columns.Stride + (columns.Kernel - 1) * columns.Dilation + 1) + Vector<float>.Count;
            float* row = (float*)ThreadScratch.Get(2 * width * (long)sizeof(float));
            new Span<float>(row, width).Fill(_empty);
            int end = Math.Min((chunk + 1) * _planesPerChunk, planes);
            for (int plane = chunk * _planesPerChunk; plane < end; plane++)
            {
                float* from = x + (long)plane * rows.In * columns.In, to = y + (long)plane * rows.Out * columns.Out;
                for (int i = 0; i < rows.Out; i++)
                {
                    CombineRows(from, i, row + columns.PadBegin);
                    CombineColumns(row, row + width, to + i * columns.Out);
                    if (counts != null) Divide(to + i * columns.Out, counts + i * columns.Out, columns.Out);
                }
            }
        }

        private void CombineRows(float* plane, int output, float* to)
        {
            int first = rows.FirstTap(output), end = rows.EndTap(output), length = columns.In;
            if (first >= end)
            {
                new Span<float>(to, length).Fill(_empty);
                return;
            }
            float* top = plane + (long)rows.Position(output, first) * length;
            new ReadOnlySpan<float>(top, length).CopyTo(new(to, length));
            for (int tap = first + 1; tap < end; tap++) Combine(to, plane + (long)rows.Position(output, tap) * length, length);
        }

        /// <summary>Windows at every position, in vectors, of which every stride-th is an output.</summary>
        private void CombineColumns(float* row, float* windows, float* to)
        {
            int kernel = columns.Kernel, dilation = columns.Dilation, stride = columns.Stride, width = Vector<float>.Count, last = (columns.Out - 1) * stride;
            float* target = stride == 1 ? to : windows;
            int i = 0;
            // The row has room for a whole vector behind the last window; the output, written directly, has not.
            for (; stride == 1 ? i + width <= columns.Out : i <= last; i += width)
            {
                Vector<float> sum = *(Vector<float>*)(row + i);
                for (int tap = 1; tap < kernel; tap++) sum = Combine(sum, *(Vector<float>*)(row + i + tap * dilation));
                *(Vector<float>*)(target + i) = sum;
            }
            for (; stride == 1 && i < columns.Out; i++)
            {
                float sum = row[i];
                for (int tap = 1; tap < kernel; tap++) sum = isMaximum ? MaxOf(sum, row[i + tap * dilation]) : sum + row[i + tap * dilation];
                to[i] = sum;
            }
            if (stride == 1) return;
            for (int o = 0, at = 0; o < columns.Out; o++, at += stride) to[o] = windows[at];
        }

        private void Combine(float* to, float* from, int length)
        {
            int i = 0, width = Vector<float>.Count;
            for (; i + width <= length; i += width) *(Vector<float>*)(to + i) = Combine(*(Vector<float>*)(to + i), *(Vector<float>*)(from + i));
            for (; i < length; i++) to[i] = isMaximum ? MaxOf(to[i], from[i]) : to[i] + from[i];
        }

        // The comparison keeps a NaN of the second operand: one instruction more than the processor's maximum, no more.
        private Vector<float> Combine(Vector<float> a, Vector<float> b) => isMaximum ? Vector.ConditionalSelect(Vector.GreaterThanOrEqual(a, b), a, b) : a + b;

        private static float MaxOf(float a, float b) => a >= b ? a : b;

        private static void Divide(float* values, float* by, int length)
        {
            int i = 0, width = Vector<float>.Count;
            for (; i + width <= length; i += width) *(Vector<float>*)(values + i) /= *(Vector<float>*)(by + i);
            for (; i < length; i++) values[i] /= by[i];
        }
    }
}
