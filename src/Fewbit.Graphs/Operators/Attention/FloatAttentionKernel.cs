using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Fewbit.Graphs.Operators;

/// <summary>Attention in float32 without past, cap and returned scores: keys and values are packed once a head, then blocks of queries are computed while their scores stay in the cache.</summary>
/// <remarks>The softmax is not divided by its sum: the rows of the result are, which are shorter.</remarks>
internal sealed unsafe class FloatAttentionKernel(Attention op, AttentionShape shape, Shape? mask, bool hasLengths) : IKernel
{
    /// <summary>Fewer queries do not pay for packing.</summary>
    public const int MinQueries = 12;

    private readonly HeadLayout _layout = new(shape, op.Scale, AttentionBlocks.HidesLater(op, shape, hasLengths));

    public void Run(EvaluationContext context)
    {
        var packed = (byte*)context.Scratch(shape.Batch * shape.KeyHeads * _layout.HeadBytes);
        var pack = new PackJob(_layout, (float*)context.Input(1).Address, (float*)context.Input(2).Address, packed);
        Workers.Run(shape.Batch * shape.KeyHeads, ref pack);
        var job = new RowsJob(_layout, (float*)context.Input(0).Address, packed, (float*)context.Output(0).Address, AttentionMask<float>.Of(context, op.IsCausal, shape, mask));
        Workers.Run(shape.Batch * shape.Heads * _layout.Blocks, ref job);
    }

    /// <summary>Where heads lie, in the operands and packed.</summary>
    private readonly struct HeadLayout
    {
        private const int MaxScores = 1 << 16; // floats: a quarter of the second-level cache
        private readonly long _keyBytes;
        private readonly bool _isSplit;

        public HeadLayout(AttentionShape shape, float scale, bool hidesLater)
        {
            (Heads, KeyHeads, Queries, Total, HeadSize, ValueSize, _isSplit) = (shape.Heads, shape.KeyHeads, shape.Queries, shape.Total, shape.HeadSize, shape.ValueSize, shape.IsSplit);
            _keyBytes = RoundUp(PackedMatrix.Bytes(PackedMatrix.Side.Right, Total, HeadSize));
            HeadBytes = _keyBytes + RoundUp(PackedMatrix.Bytes(PackedMatrix.Side.Right, ValueSize, Total));
            HidesLater = hidesLater;
            Rows = AttentionBlocks.Rows(MaxScores, Total, hidesLater ? AttentionBlocks.RowsWhereLaterIsHidden : 96);
            Scale = scale == 0 ? 1 / MathF.Sqrt(HeadSize) : scale;
        }

        public int Heads { get; }

        public int KeyHeads { get; }

        public int Queries { get; }

        public int Total { get; }

        public int HeadSize { get; }

        public int ValueSize { get; }

        /// <summary>Queries that are computed at a time.</summary>
        public int Rows { get; }

        /// <summary>Whether keys behind the last query of a block are hidden from all of it.</summary>
        public bool HidesLater { get; }

        public int Blocks => (Queries + Rows - 1) / Rows;

        public float Scale { get; }

        /// <summary>Bytes of the packed keys and values of one head.</summary>
        public long HeadBytes { get; }

        /// <summary>The first keys of a head.</summary>
        public PackedMatrix Keys(byte* packed, int head, int count) => PackedMatrix.Over(PackedMatrix.Side.Right, count, HeadSize, (float*)(packed + head * HeadBytes), FloatKernel.Active);

        public PackedMatrix Values(byte* packed, int head) => PackedMatrix.Over(PackedMatrix.Side.Right, ValueSize, Total, (float*)(packed + head * HeadBytes + _keyBytes), FloatKernel.Active);

        /// <summary>Where a head of [N, heads, length, size] or [N, length, heads * size] starts, and the distance of its rows.</summary>
        public (long Start, int Stride) Place(int head, int heads, int length, int size) =>
            _isSplit ? ((long)head * length * size, size) : (((long)(head / heads) * length * heads + head % heads) * size, heads * size);

        private static long RoundUp(long bytes) => (bytes + 63) / 64 * 64;
    }

    /// <summary>A chunk is one head of keys and values.</summary>
    private readonly struct PackJob(HeadLayout layout, float* keys, float* values, byte* packed) : IJob
    {
        public void Run(int chunk)
        {
            (long start, int stride) = layout.Place(chunk, layout.KeyHeads, layout.Total, layout.HeadSize);
            PackedMatrix.Pack(PackedMatrix.Side.Right, keys + start, stride, transposed: true, layout.Total, layout.HeadSize, layout.Keys(packed, chunk, layout.Total).Data);
            (start, stride) = layout.Place(chunk, layout.KeyHeads, layout.Total, layout.ValueSize);
            PackedMatrix.Pack(PackedMatrix.Side.Right, values + start, stride, transposed: false, layout.ValueSize, layout.Total, layout.Values(packed, chunk).Data);
        }
    }

    /// <summary>A chunk is a block of queries of one head.</summary>
    private readonly struct RowsJob(HeadLayout layout, float* queries, byte* packed, float* output, AttentionMask<float> mask) : IJob
    {
        public void Run(int chunk)
        {
            int head = chunk / layout.Blocks, first = chunk % layout.Blocks * layout.Rows, rows = Math.Min(layout.Rows, layout.Queries - first), total = layout.HidesLater ? Math.Min(layout.Total, first + rows) : layout.Total;
            int keyHead = head / layout.Heads * layout.KeyHeads + head % layout.Heads / (layout.Heads / layout.KeyHeads);
            long gemmBytes = (Math.Max(Gemm.ScratchBytes(rows, total, layout.HeadSize), Gemm.ScratchBytes(rows, layout.ValueSize, total)) + 63) / 64 * 64;
            byte* memory = (byte*)ThreadScratch.Get(gemmBytes + ((long)rows * total + rows) * sizeof(float));
            float* scores = (float*)(memory + gemmBytes), sums = scores + (long)rows * total;
            (long start, int stride) = layout.Place(head, layout.Heads, layout.Queries, layout.HeadSize);
            Gemm.Run(new(rows, total, layout.HeadSize) { A = queries + start + (long)first * stride, StrideA = stride, PackedB = layout.Keys(packed, keyHead, total), C = scores, StrideC = total }, memory);
            for (int i = 0; i < rows; i++) sums[i] = Finish(head, first + i, scores + (long)i * total, total);
            (start, stride) = layout.Place(head, layout.Heads, layout.Queries, layout.ValueSize);
            float* to = output + start + (long)first * stride;
            Gemm.Run(new(rows, layout.ValueSize, total) { A = scores, StrideA = total, PackedB = layout.Values(packed, keyHead), C = to, StrideC = stride }, memory);
            for (int i = 0; i < rows; i++) Multiply(to + (long)i * stride, layout.ValueSize, sums[i] == 0 ? 0 : 1 / sums[i]);
        }

        private float Finish(int head, int query, float* row, int count)
        {
            if (mask.IsEmpty) return Exponentials(row, count, layout.Scale);
            Multiply(row, count, layout.Scale);
            mask.Apply(head / layout.Heads, head % layout.Heads, query, new(row, count));
            return Exponentials(row, count, 1);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(float* row, int count, float factor)
    {
        int i = 0, width = Vector<float>.Count;
        var factors = new Vector<float>(factor);
        for (; i + width <= count; i += width) *(Vector<float>*)(row + i) *= factors;
        for (; i < count; i++) row[i] *= factor;
    }

    /// <summary>Replaces x by e^(factor * (x - largest)).</summary>
    /// <returns>The sum; 0 for a row that sees nothing, which becomes zeros.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Exponentials(float* row, int count, float factor)
    {
        var values = new Span<float>(row, count);
        float largest = factor >= 0 ? TensorPrimitives.Max(values) : TensorPrimitives.Min(values);
        if (float.IsNegativeInfinity(largest))
        {
            values.Clear();
            return 0;
        }
        if (KernelPaths.Active >= KernelPath.Avx512) return WideExponentials(row, count, factor, largest);
        int i = 0, width = Vector<float>.Count;
        Vector<float> shift = new(largest), factors = new(factor), total = default;
        for (; i + width <= count; i += width)
        {
            Vector<float> e = new VectorExp().Apply((*(Vector<float>*)(row + i) - shift) * factors);
            total += e;
            *(Vector<float>*)(row + i) = e;
        }
        float sum = Vector.Sum(total);
        if (i == count) return sum;
        Span<float> last = stackalloc float[width], rest = values[i..];
        for (int j = 0; j < rest.Length; j++) last[j] = (rest[j] - largest) * factor;
        new VectorExp().Apply(new Vector<float>(last)).CopyTo(last);
        for (int j = 0; j < rest.Length; j++) sum += rest[j] = last[j];
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float WideExponentials(float* row, int count, float factor, float largest)
    {
        int i = 0;
        Vector512<float> shift = Vector512.Create(largest), factors = Vector512.Create(factor), total = Vector512<float>.Zero;
        for (; i + 16 <= count; i += 16)
        {
            Vector512<float> e = new WideExp().Apply((Vector512.Load(row + i) - shift) * factors);
            total += e;
            e.Store(row + i);
        }
        float sum = Vector512.Sum(total);
        if (i == count) return sum;
        Wide.Store(new WideExp().Apply((Wide.Load(row + i, count - i) - shift) * factors), row + i, count - i);
        for (; i < count; i++) sum += row[i];
        return sum;
    }
}
