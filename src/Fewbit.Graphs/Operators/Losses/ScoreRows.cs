using System.Numerics;
using System.Runtime.CompilerServices;
using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators.Losses;

/// <summary>What the losses of classes compute for each row of scores [rows, classes] in float32.</summary>
internal static unsafe class ScoreRows
{
    private const int ChunkElements = 1 << 15;

    /// <summary>largest + log(sum of e^(x - largest)).</summary>
    public static float LogSumExp(float* x, int count)
    {
        float largest = RowReductions.Max(new(x, count));
        return largest + MathF.Log(Exponentials(x, null, count, largest));
    }

    /// <summary>Writes e^(x - shift) to y, which may be x, or nowhere; returns the sum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Exponentials(float* x, float* y, int count, float shift)
    {
        int i = 0, width = Vector<float>.Count;
        Vector<float> shifts = new(shift), even = default, odd = default;
        for (; i + 2 * width <= count; i += 2 * width)
        {
            Vector<float> a = new VectorExp().Apply(*(Vector<float>*)(x + i) - shifts), b = new VectorExp().Apply(*(Vector<float>*)(x + i + width) - shifts);
            (even, odd) = (even + a, odd + b);
            if (y == null) continue;
            *(Vector<float>*)(y + i) = a;
            *(Vector<float>*)(y + i + width) = b;
        }
        float sum = Vector.Sum(even + odd);
        if (i == count) return sum;
        Span<float> last = stackalloc float[width];
        for (; i < count; i += width)
        {
            int rest = Math.Min(width, count - i);
            new Span<float>(x + i, rest).CopyTo(last);
            new VectorExp().Apply(new Vector<float>(last) - shifts).CopyTo(last);
            for (int j = 0; j < rest; j++) sum += last[j];
            if (y != null) last[..rest].CopyTo(new(y + i, rest));
        }
        return sum;
    }

    /// <summary>Multiplies a row.</summary>
    public static void Scale(float* x, int count, float factor) => System.Numerics.Tensors.TensorPrimitives.Multiply(new ReadOnlySpan<float>(x, count), factor, new Span<float>(x, count));

    /// <summary>Rows that one thread takes at a time.</summary>
    public static int RowsPerChunk(int classes) => Math.Max(1, ChunkElements / Math.Max(1, classes));

    /// <summary>Writes the logarithm of each row's sum of exponentials.</summary>
    public struct LogSumJob : IJob
    {
        public float* X;
        public float* Sums;
        public int Rows, Classes;

        public readonly int Chunks => (Rows + RowsPerChunk(Classes) - 1) / RowsPerChunk(Classes);

        public readonly void Run(int chunk)
        {
            int size = RowsPerChunk(Classes), end = Math.Min(Rows, (chunk + 1) * size);
            for (int row = chunk * size; row < end; row++) Sums[row] = LogSumExp(X + (long)row * Classes, Classes);
        }
    }

    /// <summary>Writes factor * (softmax(x) - 1 at the target); zeros where the factor is 0. Y may be X.</summary>
    public struct GradientJob : IJob
    {
        public float* X, Y;
        public float* Factors;
        public int* Targets;
        public int Rows, Classes;

        public readonly int Chunks => (Rows + RowsPerChunk(Classes) - 1) / RowsPerChunk(Classes);

        public readonly void Run(int chunk)
        {
            int size = RowsPerChunk(Classes), end = Math.Min(Rows, (chunk + 1) * size);
            for (int row = chunk * size; row < end; row++)
            {
                float* x = X + (long)row * Classes, y = Y + (long)row * Classes;
                float factor = Factors[row];
                if (factor == 0)
                {
                    new Span<float>(y, Classes).Clear();
                    continue;
                }
                float sum = Exponentials(x, y, Classes, RowReductions.Max(new(x, Classes)));
                Scale(y, Classes, factor / sum);
                y[Targets[row]] -= factor;
            }
        }
    }
}
