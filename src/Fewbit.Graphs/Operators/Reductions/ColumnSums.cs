using System.Numerics;
using System.Runtime.CompilerServices;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>Sums of the columns of a float32 matrix, read row by row as it lies in memory: the gradient of a bias.</summary>
internal static unsafe class ColumnSums
{
    private const int MaxChunks = 32;
    private const int MinElements = 1 << 15;

    /// <summary>Chunks of rows; each has sums of its own.</summary>
    public static int ChunksOf(long rows, long columns) => (int)Math.Clamp(Math.Min(rows / 16, rows * columns / MinElements), 1, MaxChunks);

    /// <param name="x">The matrix.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="sums">As many as columns.</param>
    /// <param name="scratch">Room for <see cref="ChunksOf"/> * columns floats.</param>
    public static void Run(float* x, long rows, int columns, float* sums, float* scratch)
    {
        var job = new Job { X = x, Parts = scratch, Rows = rows, Columns = columns, Chunks = ChunksOf(rows, columns) };
        Workers.Run(job.Chunks, ref job);
        for (int column = 0; column < columns; column++)
        {
            double sum = 0;
            for (int chunk = 0; chunk < job.Chunks; chunk++) sum += scratch[(long)chunk * columns + column];
            sums[column] = (float)sum;
        }
    }

    private struct Job : IJob
    {
        private const int Group = 8;
        public float* X, Parts;
        public long Rows;
        public int Columns, Chunks;

        public readonly void Run(int chunk)
        {
            long first = Rows * chunk / Chunks, end = Rows * (chunk + 1) / Chunks;
            float* to = Parts + (long)chunk * Columns;
            new Span<float>(to, Columns).Clear();
            for (; first + Group <= end; first += Group) Add(X + first * Columns, Columns, to);
            for (; first < end; first++) System.Numerics.Tensors.TensorPrimitives.Add(new ReadOnlySpan<float>(to, Columns), new ReadOnlySpan<float>(X + first * Columns, Columns), new Span<float>(to, Columns));
        }

        /// <summary>Eight rows at once, in pairs, so that few sums are long.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Add(float* x, int columns, float* to)
        {
            int i = 0, width = Vector<float>.Count;
            for (; i + width <= columns; i += width)
            {
                float* at = x + i;
                Vector<float> a = Vector.Load(at) + Vector.Load(at + columns), b = Vector.Load(at + 2L * columns) + Vector.Load(at + 3L * columns);
                Vector<float> c = Vector.Load(at + 4L * columns) + Vector.Load(at + 5L * columns), d = Vector.Load(at + 6L * columns) + Vector.Load(at + 7L * columns);
                (Vector.Load(to + i) + ((a + b) + (c + d))).Store(to + i);
            }
            for (; i < columns; i++)
            {
                for (int row = 0; row < Group; row++) to[i] += x[(long)row * columns + i];
            }
        }
    }
}
