using System.Numerics;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators;

/// <summary>Weighted sums along one dimension after the other, the last one first, so that later passes run over long rows.</summary>
internal static unsafe class ResizePasses
{
    /// <summary>The scalar reference.</summary>
    public static T[] Forward<T>(T[] x, Shape shape, ResizeAxis[] axes) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        for (int axis = axes.Length - 1; axis >= 0; axis--)
        {
            ResizeAxis map = axes[axis];
            if (map.IsIdentity((int)shape[axis])) continue;
            Shape next = shape.With(axis, map.Output);
            var result = new T[next.ElementCount];
            int inner = (int)shape.CountOf(axis + 1, shape.Rank), outer = (int)shape.CountOf(0, axis), length = (int)shape[axis];
            for (int o = 0; o < outer; o++)
            {
                for (int j = 0; j < map.Output; j++)
                {
                    for (int tap = map.Starts[j]; tap < map.Starts[j + 1]; tap++)
                    {
                        T weight = T.CreateChecked(map.Weights[tap]);
                        for (int i = 0; i < inner; i++) result[(o * map.Output + j) * inner + i] += weight * x[(o * length + map.Positions[tap]) * inner + i];
                    }
                }
            }
            (x, shape) = (result, next);
        }
        return x;
    }

    /// <summary>The same in float32 on all threads, through scratch memory.</summary>
    public static void Forward(float* x, float* y, Shape input, Shape output, ResizeAxis[] axes, EvaluationContext context)
    {
        int[] passes = [.. Enumerable.Range(0, axes.Length).Reverse().Where(axis => !axes[axis].IsIdentity((int)input[axis]))];
        if (passes.Length == 0)
        {
            Buffer.MemoryCopy(x, y, output.ElementCount * sizeof(float), output.ElementCount * sizeof(float));
            return;
        }
        long largest = 0;
        Shape shape = input;
        foreach (int axis in passes[..^1])
        {
            shape = shape.With(axis, axes[axis].Output);
            largest = Math.Max(largest, (shape.ElementCount + 15) / 16 * 16);
        }
        float* scratch = (float*)context.Scratch(Math.Max(1, 2 * largest) * sizeof(float));
        shape = input;
        for (int pass = 0; pass < passes.Length; pass++)
        {
            int axis = passes[pass];
            float* to = pass == passes.Length - 1 ? y : scratch + pass % 2 * largest;
            Pass(x, to, shape, axis, axes[axis]);
            x = to;
            shape = shape.With(axis, axes[axis].Output);
        }
    }

    private static void Pass(float* x, float* y, Shape shape, int axis, ResizeAxis map)
    {
        float[] weights = Array.ConvertAll(map.Weights, weight => (float)weight);
        int outer = (int)shape.CountOf(0, axis), inner = (int)shape.CountOf(axis + 1, shape.Rank);
        fixed (int* starts = map.Starts, positions = map.Positions)
        fixed (float* w = weights)
        {
            var job = new PassJob(x, y, starts, positions, w, outer, (int)shape[axis], map.Output, inner);
            Workers.Run(job.Chunks, ref job);
        }
    }

    private readonly struct PassJob(float* x, float* y, int* starts, int* positions, float* weights, int outer, int length, int output, int inner) : IJob
    {
        private readonly int _perChunk = Math.Max(1, 16384 / Math.Max(1, output * inner));

        public int Chunks => (outer + _perChunk - 1) / _perChunk;

        public void Run(int chunk)
        {
            int end = Math.Min((chunk + 1) * _perChunk, outer);
            for (int o = chunk * _perChunk; o < end; o++)
            {
                float* from = x + (long)o * length * inner, to = y + (long)o * output * inner;
                if (inner == 1) Columns(from, to);
                else Rows(from, to);
            }
        }

        private void Columns(float* from, float* to)
        {
            for (int j = 0; j < output; j++)
            {
                float sum = 0;
                for (int tap = starts[j]; tap < starts[j + 1]; tap++) sum += weights[tap] * from[positions[tap]];
                to[j] = sum;
            }
        }

        private void Rows(float* from, float* to)
        {
            int width = Vector<float>.Count;
            for (int j = 0; j < output; j++)
            {
                float* row = to + (long)j * inner;
                int i = 0;
                for (; i + width <= inner; i += width)
                {
                    Vector<float> sum = default;
                    for (int tap = starts[j]; tap < starts[j + 1]; tap++) sum += *(Vector<float>*)(from + (long)positions[tap] * inner + i) * weights[tap];
                    *(Vector<float>*)(row + i) = sum;
                }
                for (; i < inner; i++)
                {
                    float sum = 0;
                    for (int tap = starts[j]; tap < starts[j + 1]; tap++) sum += weights[tap] * from[(long)positions[tap] * inner + i];
                    row[i] = sum;
                }
            }
        }
    }
}
