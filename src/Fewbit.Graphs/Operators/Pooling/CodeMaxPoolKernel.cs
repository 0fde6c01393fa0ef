using System.Numerics;
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

        public void Run(int chunk)
        {
            T* row = (T*)ThreadScratch.Get(columns.In);
            for (int plane = chunk * _planesPerChunk; plane < Math.Min((chunk + 1) * _planesPerChunk, planes); plane++)
            {
                T* from = x + (long)plane * rows.In * columns.In, to = y + (long)plane * rows.Out * columns.Out;
                for (int i = 0; i < rows.Out; i++, to += columns.Out)
                {
                    CombineRows(from, i, row);
                    CombineColumns(row, to);
                }
            }
        }

        private void CombineRows(T* plane, int output, T* to)
        {
            int length = columns.In, end = rows.EndTap(output);
            new Span<T>(to, length).Fill(T.MinValue);
            for (int tap = rows.FirstTap(output); tap < end; tap++)
            {
                T* from = plane + (long)rows.Position(output, tap) * length;
                int i = 0;
                for (; i + Vector<T>.Count <= length; i += Vector<T>.Count) Vector.Max(*(Vector<T>*)(to + i), *(Vector<T>*)(from + i)).Store(to + i);
                for (; i < length; i++) to[i] = T.Max(to[i], from[i]);
            }
        }

        private void CombineColumns(T* row, T* to)
        {
            for (int j = 0; j < columns.Out; j++)
            {
                int end = columns.EndTap(j);
                T largest = T.MinValue;
                for (int tap = columns.FirstTap(j); tap < end; tap++) largest = T.Max(largest, row[columns.Position(j, tap)]);
                to[j] = largest;
            }
        }
    }
}
