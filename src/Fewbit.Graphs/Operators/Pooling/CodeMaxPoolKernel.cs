using System.Numerics;
using System.Runtime.CompilerServices;
using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators;

/// <summary>Maximum pooling of one or two dimensions on 8-bit codes: rows are combined first, then columns of the combined row.</summary>
internal sealed unsafe class CodeMaxPoolKernel<T>(PoolGeometry shape) : IKernel where T : unmanaged, IBinaryInteger<T>, IMinMaxValue<T>
{
    public void Run(EvaluationContext context)
    {
        var job = new PlaneJob(shape.Axes[1], shape.Axes[2], shape.Planes, (T*)context.Input(0).Address, (T*)context.Output(0).Address);
        Workers.Run(job.Chunks, ref job);
    }

    private readonly struct PlaneJob(WindowAxis rows, WindowAxis columns, int planes, T* x, T* y) : IJob
    {
        private readonly int _planesPerChunk = Math.Max(1, 65536 / Math.Max(1, rows.In * columns.In));

        public int Chunks => (planes + _planesPerChunk - 1) / _planesPerChunk;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run(int chunk)
        {
            // Room for the padding on both sides, and for a vector that reads past the end.
            int width = Math.Max(columns.PadBegin + columns.In, (columns.Out - 1) * columns.Stride + (columns.Kernel - 1) * columns.Dilation + 1) + Vector<T>.Count;
            T* row = (T*)ThreadScratch.Get(2L * width);
            new Span<T>(row, width).Fill(T.MinValue);
            for (int plane = chunk * _planesPerChunk; plane < Math.Min((chunk + 1) * _planesPerChunk, planes); plane++)
            {
                T* from = x + (long)plane * rows.In * columns.In, to = y + (long)plane * rows.Out * columns.Out;
                for (int i = 0; i < rows.Out; i++, to += columns.Out)
                {
                    CombineRows(from, i, row + columns.PadBegin);
                    CombineColumns(row, row + width, to);
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void CombineRows(T* plane, int output, T* to)
        {
            int first = rows.FirstTap(output), end = rows.EndTap(output), length = columns.In;
            if (first < end) new ReadOnlySpan<T>(plane + (long)rows.Position(output, first) * length, length).CopyTo(new(to, length));
            else new Span<T>(to, length).Fill(T.MinValue);
            for (int tap = first + 1; tap < end; tap++)
            {
                T* from = plane + (long)rows.Position(output, tap) * length;
                int i = 0;
                for (; i + Vector<T>.Count <= length; i += Vector<T>.Count) Vector.Max(*(Vector<T>*)(to + i), *(Vector<T>*)(from + i)).Store(to + i);
                for (; i < length; i++) to[i] = T.Max(to[i], from[i]);
            }
        }

        /// <summary>Windows at every position, in vectors, of which every stride-th is an output.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void CombineColumns(T* row, T* windows, T* to)
        {
            int kernel = columns.Kernel, dilation = columns.Dilation, stride = columns.Stride, last = (columns.Out - 1) * stride;
            for (int i = 0; i <= last; i += Vector<T>.Count)
            {
                Vector<T> largest = *(Vector<T>*)(row + i);
                for (int tap = 1; tap < kernel; tap++) largest = Vector.Max(largest, *(Vector<T>*)(row + i + tap * dilation));
                largest.Store(windows + i);
            }
            for (int o = 0, at = 0; o < columns.Out; o++, at += stride) to[o] = windows[at];
        }
    }
}
