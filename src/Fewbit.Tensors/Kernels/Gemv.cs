using System.Numerics;
using System.Runtime.CompilerServices;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>Products with a vector, where packing a matrix that is read once would cost more than the product.</summary>
internal static unsafe class Gemv
{
    private const int MaxSums = 1024; // floats: 4 KB that stay in the first-level cache

    /// <summary>One row times an unpacked matrix, or an unpacked matrix times one dense column.</summary>
    public static bool Fits(in GemmProblem problem) =>
        (problem.M == 1 && problem.PackedA.Data == null && problem.PackedB.Data == null && (problem.K == 1 || !problem.TransposeA || problem.StrideA == 1))
        || (problem.N == 1 && problem.PackedA.Data == null && problem.PackedB.Data == null && (problem.K == 1 || problem.TransposeB || problem.StrideB == 1));

    public static void Run(in GemmProblem problem)
    {
        var job = new Job(problem);
        Workers.Run(job.Chunks, ref job);
    }

    /// <summary>A chunk is a range of the result.</summary>
    private readonly struct Job(GemmProblem problem) : IJob
    {
        private readonly bool _isRow = problem.M == 1 && (problem.K == 1 || !problem.TransposeA || problem.StrideA == 1);

        private int Length => _isRow ? problem.N : problem.M;

        private bool RowsAreOutputs => _isRow ? problem.TransposeB : !problem.TransposeA;

        // Whole cache lines of results. Rows that are outputs: about 64 KB of matrix a chunk; rows that are added up: pieces long enough for the memory to stream.
        private int Step => RowsAreOutputs ? Math.Max(64, 16384 / Math.Max(1, problem.K) / 64 * 64) : Length >= 2 * MaxSums ? MaxSums : MaxSums / 4;

        public int Chunks => (Length + Step - 1) / Step;

        public void Run(int chunk)
        {
            int first = chunk * Step, count = Math.Min(Step, Length - first);
            float* sums = stackalloc float[MaxSums];
            for (int done = 0; done < count; done += MaxSums)
            {
                int part = Math.Min(MaxSums, count - done);
                Sums(first + done, part, sums);
                Write(first + done, part, sums);
            }
        }

        private void Sums(int first, int count, float* sums)
        {
            float* vector = _isRow ? problem.A : problem.B;
            float* matrix = _isRow ? problem.B : problem.A;
            int stride = _isRow ? problem.StrideB : problem.StrideA;
            if (RowsAreOutputs)
            {
                for (int i = 0; i < count; i++) sums[i] = Dot(vector, matrix + (long)(first + i) * stride, problem.K);
                return;
            }
            new Span<float>(sums, count).Clear();
            int p = 0;
            for (; p + 4 <= problem.K; p += 4) AddFour(vector + p, matrix + (long)p * stride + first, stride, sums, count);
            for (; p < problem.K; p++) AddScaled(vector[p], matrix + (long)p * stride + first, sums, count);
        }

        private void Write(int first, int count, float* sums)
        {
            var store = new TileStore(problem.C, problem.StrideC, problem.Alpha, problem.Beta, problem.Epilogue);
            if (_isRow) store.Write(sums, MaxSums, 0, first, 1, count, isFirst: true, isLast: true);
            else store.Write(sums, 1, first, 0, count, 1, isFirst: true, isLast: true);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static float Dot(float* x, float* y, int count)
    {
        int i = 0, width = Vector<float>.Count;
        Vector<float> s0 = default, s1 = default, s2 = default, s3 = default;
        for (; i + 4 * width <= count; i += 4 * width)
        {
            s0 = Vector.FusedMultiplyAdd(*(Vector<float>*)(x + i), *(Vector<float>*)(y + i), s0);
            s1 = Vector.FusedMultiplyAdd(*(Vector<float>*)(x + i + width), *(Vector<float>*)(y + i + width), s1);
            s2 = Vector.FusedMultiplyAdd(*(Vector<float>*)(x + i + 2 * width), *(Vector<float>*)(y + i + 2 * width), s2);
            s3 = Vector.FusedMultiplyAdd(*(Vector<float>*)(x + i + 3 * width), *(Vector<float>*)(y + i + 3 * width), s3);
        }
        for (; i + width <= count; i += width) s0 = Vector.FusedMultiplyAdd(*(Vector<float>*)(x + i), *(Vector<float>*)(y + i), s0);
        float sum = Vector.Sum(s0 + s1 + (s2 + s3));
        for (; i < count; i++) sum = MathF.FusedMultiplyAdd(x[i], y[i], sum);
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddScaled(float factor, float* x, float* sums, int count)
    {
        int i = 0, width = Vector<float>.Count;
        var f = new Vector<float>(factor);
        for (; i + width <= count; i += width) *(Vector<float>*)(sums + i) = Vector.FusedMultiplyAdd(f, *(Vector<float>*)(x + i), *(Vector<float>*)(sums + i));
        for (; i < count; i++) sums[i] = MathF.FusedMultiplyAdd(factor, x[i], sums[i]);
    }

    /// <summary>Four rows at a time: the sums are read and written once for four products.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddFour(float* factors, float* x0, int stride, float* sums, int count)
    {
        int i = 0, width = Vector<float>.Count;
        float* x1 = x0 + stride, x2 = x1 + stride, x3 = x2 + stride;
        Vector<float> f0 = new(factors[0]), f1 = new(factors[1]), f2 = new(factors[2]), f3 = new(factors[3]);
        for (; i + width <= count; i += width)
        {
            Vector<float> sum = Vector.FusedMultiplyAdd(f0, *(Vector<float>*)(x0 + i), *(Vector<float>*)(sums + i));
            sum = Vector.FusedMultiplyAdd(f1, *(Vector<float>*)(x1 + i), sum);
            sum = Vector.FusedMultiplyAdd(f2, *(Vector<float>*)(x2 + i), sum);
            *(Vector<float>*)(sums + i) = Vector.FusedMultiplyAdd(f3, *(Vector<float>*)(x3 + i), sum);
        }
        for (; i < count; i++)
        {
            float sum = MathF.FusedMultiplyAdd(factors[0], x0[i], sums[i]);
            sum = MathF.FusedMultiplyAdd(factors[1], x1[i], sum);
            sum = MathF.FusedMultiplyAdd(factors[2], x2[i], sum);
            sums[i] = MathF.FusedMultiplyAdd(factors[3], x3[i], sum);
        }
    }
}
