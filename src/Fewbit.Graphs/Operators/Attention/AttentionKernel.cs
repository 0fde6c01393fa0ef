using System.Numerics;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Fewbit.Graphs.Operators;

/// <summary>Attention head by head: scores, cap, mask, softmax, weighted values.</summary>
internal sealed unsafe class AttentionKernel<T>(Attention op, AttentionShape shape, Shape? mask) : IKernel where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public void Run(EvaluationContext context)
    {
        long keyCount = (long)shape.Batch * shape.KeyHeads * shape.Total * shape.HeadSize, valueCount = keyCount / Math.Max(1, shape.HeadSize) * shape.ValueSize;
        T* scratch = (T*)context.Scratch((keyCount + valueCount + shape.Batch) * sizeof(T) + 64);
        T* keys = context.HasOutput(1) ? (T*)context.Output(1).Address : scratch, values = context.HasOutput(2) ? (T*)context.Output(2).Address : scratch + keyCount;
        Gather(context.FindInput(Attention.PastKey), context.Input(1), keys, shape.HeadSize);
        Gather(context.FindInput(Attention.PastValue), context.Input(2), values, shape.ValueSize);
        var job = new HeadJob
        {
            Query = (T*)context.Input(0).Address,
            Keys = keys,
            Values = values,
            Output = (T*)context.Output(0).Address,
            Scores = context.HasOutput(3) ? (T*)context.Output(3).Address : null,
            Mask = AttentionMask<T>.Of(context, op.IsCausal, shape, mask),
            Heads = shape.Heads,
            KeyHeads = shape.KeyHeads,
            Queries = shape.Queries,
            Total = shape.Total,
            HeadSize = shape.HeadSize,
            ValueSize = shape.ValueSize,
            IsSplit = shape.IsSplit,
            Scale = op.Scale == 0 ? T.One / T.Sqrt(T.CreateChecked(shape.HeadSize)) : T.CreateChecked(op.Scale),
            Cap = T.CreateChecked(op.SoftCap),
            ScoreOutput = (int)op.ScoreOutput,
        };
        Workers.Run(shape.Batch * shape.Heads, ref job);
    }

    /// <summary>Lays earlier and new keys (or values) out as [N, heads, total, size].</summary>
    private void Gather(Tensor? past, Tensor current, T* to, int size)
    {
        T* from = (T*)current.Address, earlier = past is null ? null : (T*)past.Address;
        for (int head = 0; head < shape.Batch * shape.KeyHeads; head++, to += (long)shape.Total * size)
        {
            if (earlier != null) new ReadOnlySpan<T>(earlier + (long)head * shape.Past * size, shape.Past * size).CopyTo(new(to, shape.Past * size));
            T* target = to + (long)shape.Past * size;
            if (shape.IsSplit)
            {
                new ReadOnlySpan<T>(from + (long)head * shape.Keys * size, shape.Keys * size).CopyTo(new(target, shape.Keys * size));
                continue;
            }
            (int n, int h) = (head / shape.KeyHeads, head % shape.KeyHeads);
            for (int i = 0; i < shape.Keys; i++) new ReadOnlySpan<T>(from + (((long)n * shape.Keys + i) * shape.KeyHeads + h) * size, size).CopyTo(new(target + (long)i * size, size));
        }
    }

    /// <summary>A chunk is one head of one item of the batch.</summary>
    private struct HeadJob : IJob
    {
        public T* Query, Keys, Values, Output, Scores;
        public AttentionMask<T> Mask;
        public bool IsSplit;
        public int Heads, KeyHeads, Queries, Total, HeadSize, ValueSize, ScoreOutput;
        public T Scale, Cap;

        public readonly void Run(int chunk)
        {
            (int n, int head) = (chunk / Heads, chunk % Heads);
            long keyHead = (long)n * KeyHeads + head / (Heads / KeyHeads);
            T* q = Query + (IsSplit ? (long)chunk * Queries * HeadSize : ((long)n * Queries * Heads + head) * HeadSize);
            T* y = Output + (IsSplit ? (long)chunk * Queries * ValueSize : ((long)n * Queries * Heads + head) * ValueSize);
            int strideQ = IsSplit ? HeadSize : Heads * HeadSize, strideY = IsSplit ? ValueSize : Heads * ValueSize;
            long count = (long)Queries * Total, gemmBytes = typeof(T) == typeof(float) ? Math.Max(Gemm.ScratchBytes(new(Queries, Total, HeadSize)), Gemm.ScratchBytes(new(Queries, ValueSize, Total))) : 0;
            byte* memory = (byte*)ThreadScratch.Get(gemmBytes + 64 + count * sizeof(T));
            T* scores = (T*)(memory + (gemmBytes + 63) / 64 * 64);
            Product(Queries, Total, HeadSize, q, strideQ, Keys + keyHead * Total * HeadSize, HeadSize, true, scores, Total, Scale, memory);
            for (int i = 0; i < Queries; i++) FinishRow(n, head, i, new(scores + (long)i * Total, Total), Scores == null ? default : new(Scores + ((long)chunk * Queries + i) * Total, Total));
            Product(Queries, ValueSize, Total, scores, Total, Values + keyHead * Total * ValueSize, ValueSize, false, y, strideY, T.One, memory);
        }

        private readonly void FinishRow(int n, int head, int query, Span<T> row, Span<T> copy)
        {
            if (ScoreOutput == 0) row[..copy.Length].CopyTo(copy);
            if (Cap > T.Zero)
            {
                for (int j = 0; j < row.Length; j++) row[j] = Cap * T.Tanh(row[j] / Cap);
            }
            if (ScoreOutput == 1) row[..copy.Length].CopyTo(copy);
            Mask.Apply(n, head, query, row);
            if (ScoreOutput == 2) row[..copy.Length].CopyTo(copy);
            Normalize(row);
            if (ScoreOutput == 3) row[..copy.Length].CopyTo(copy);
        }

        /// <summary>Softmax; a row that sees nothing becomes zeros.</summary>
        private static void Normalize(Span<T> row)
        {
            if (row.Length == 0) return;
            T largest = TensorPrimitives.Max<T>(row);
            if (T.IsNegativeInfinity(largest))
            {
                row.Clear();
                return;
            }
            TensorPrimitives.Subtract(row, largest, row);
            TensorPrimitives.Exp<T>(row, row);
            TensorPrimitives.Divide(row, TensorPrimitives.Sum<T>(row), row);
        }

        private static void Product(int m, int n, int k, T* a, int strideA, T* b, int strideB, bool transposeB, T* c, int strideC, T alpha, void* scratch)
        {
            if (typeof(T) == typeof(float))
            {
                var problem = new GemmProblem(m, n, k) { A = (float*)a, StrideA = strideA, B = (float*)b, StrideB = strideB, TransposeB = transposeB, C = (float*)c, StrideC = strideC, Alpha = float.CreateChecked(alpha) };
                Gemm.Run(problem, scratch);
                return;
            }
            for (int i = 0; i < m; i++)
            {
                for (int j = 0; j < n; j++)
                {
                    T sum = T.Zero;
                    for (int p = 0; p < k; p++) sum += a[i * strideA + p] * b[transposeB ? j * strideB + p : p * strideB + j];
                    c[i * strideC + j] = alpha * sum;
                }
            }
        }
    }
}
