using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators;

/// <summary>Linear interpolation of the last two dimensions in float32: four products, weights multiplied first, added from the upper left.</summary>
/// <remarks>The order of ONNX Runtime. Quantized images have many averages that lie on the edge between two codes, where another order gives another code.</remarks>
internal static unsafe class BilinearResize
{
    public static bool Fits(Shape x, ResizeAxis[] axes)
    {
        if (axes.Length < 2 || axes[^1].Linear is null || axes[^2].Linear is null) return false;
        for (int axis = 0; axis < axes.Length - 2; axis++)
        {
            if (!axes[axis].IsIdentity((int)x[axis])) return false;
        }
        return true;
    }

    public static void Run(float* x, float* y, Shape shape, ResizeAxis[] axes)
    {
        (LinearTaps rows, LinearTaps columns) = (axes[^2].Linear!, axes[^1].Linear!);
        fixed (int* top = rows.First, bottom = rows.Second, left = columns.First, right = columns.Second)
        fixed (float* topWeight = rows.FirstWeight, bottomWeight = rows.SecondWeight, leftWeight = columns.FirstWeight, rightWeight = columns.SecondWeight)
        {
            var job = new PlaneJob(x, y, (int)shape[shape.Rank - 2], (int)shape[shape.Rank - 1], new(top, bottom, topWeight, bottomWeight, axes[^2].Output), new(left, right, leftWeight, rightWeight, axes[^1].Output));
            Workers.Run((int)shape.CountOf(0, shape.Rank - 2), ref job);
        }
    }

    private readonly struct Taps(int* first, int* second, float* firstWeight, float* secondWeight, int count)
    {
        public readonly int* First = first, Second = second;
        public readonly float* FirstWeight = firstWeight, SecondWeight = secondWeight;
        public readonly int Count = count;
    }

    private readonly struct PlaneJob(float* x, float* y, int inRows, int inColumns, Taps rows, Taps columns) : IJob
    {
        public void Run(int plane)
        {
            float* from = x + (long)plane * inRows * inColumns, to = y + (long)plane * rows.Count * columns.Count;
            for (int i = 0; i < rows.Count; i++, to += columns.Count)
            {
                float* top = from + (long)rows.First[i] * inColumns, bottom = from + (long)rows.Second[i] * inColumns;
                float topWeight = rows.FirstWeight[i], bottomWeight = rows.SecondWeight[i];
                for (int j = 0; j < columns.Count; j++)
                {
                    (int left, int right) = (columns.First[j], columns.Second[j]);
                    (float leftWeight, float rightWeight) = (columns.FirstWeight[j], columns.SecondWeight[j]);
                    to[j] = leftWeight * topWeight * top[left] + rightWeight * topWeight * top[right] + leftWeight * bottomWeight * bottom[left] + rightWeight * bottomWeight * bottom[right];
                }
            }
        }
    }
}
