using System.Numerics;
using System.Runtime.CompilerServices;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators;

/// <summary>Gradients of query, key and value of an <see cref="Operators.Attention"/> in float32 without past and cap; its inputs, and behind them the gradient of its result.</summary>
/// <remarks>Probabilities are computed again from query and key, so that no step keeps a matrix of queries times keys.</remarks>
internal sealed record AttentionGradient(Attention Attention) : ICompiledOperator, IDifferentiable
{
    private const int Arriving = 7;

    public static AttentionGradient Parse(Node node) => new(Attention.Parse(node));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, 8);
        ElementType type = context.ExpectOneType(0, 1, 2, Arriving);
        for (int i = 0; i < 3; i++) context.SetOutput(i, type, context.InputShape(i));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context) => context.InputType(0) == ElementType.Float32
        ? new Kernel(Attention, Attention.ShapeOf(context), context.HasInput(Attention.Mask) ? context.InputShape(Attention.Mask) : null)
        : context.Node.NoKernel(context.InputType(0));

    public void Gradient(GradientContext context)
    {
        if (context.Needs(Attention.Mask)) throw context.Node.Fail("has no gradient rule for its mask");
        CompositeGradient.Apply(context, inputs => CompositeGradient.Of(context.Graph, inputs[..Arriving], [inputs[Arriving]], [0, 1, 2], values => AttentionSpelling.SpellOut(Attention, context.Node, values)));
    }

    private sealed unsafe class Kernel(Attention op, AttentionShape shape, Shape? mask) : IKernel
    {
        public void Run(EvaluationContext context)
        {
            var job = new HeadJob
            {
                Q = (float*)context.Input(0).Address, K = (float*)context.Input(1).Address, V = (float*)context.Input(2).Address, G = (float*)context.Input(Arriving).Address,
                OfQ = (float*)context.Output(0).Address, OfK = (float*)context.Output(1).Address, OfV = (float*)context.Output(2).Address,
                Mask = AttentionMask<float>.Of(context, op.IsCausal, shape, mask),
                Heads = shape.Heads, KeyHeads = shape.KeyHeads, Queries = shape.Queries, Total = shape.Total, HeadSize = shape.HeadSize, ValueSize = shape.ValueSize, IsSplit = shape.IsSplit,
                Scale = op.Scale == 0 ? 1 / MathF.Sqrt(shape.HeadSize) : op.Scale,
                HidesLater = AttentionBlocks.HidesLater(op, shape, context.FindInput(Attention.KeyLengths) is not null),
            };
            Workers.Run(shape.Batch * shape.KeyHeads, ref job);
        }
    }

    /// <summary>A chunk is one head of keys and values, with all query heads that share it.</summary>
    private unsafe struct HeadJob : IJob
    {
        private const int MaxScores = 1 << 15; // floats: scores and their gradients fill a quarter of the second-level cache
        public float* Q, K, V, G, OfQ, OfK, OfV;
        public AttentionMask<float> Mask;
        public int Heads, KeyHeads, Queries, Total, HeadSize, ValueSize;
        public bool IsSplit, HidesLater;
        public float Scale;

        private readonly int Rows => Math.Min(Queries, AttentionBlocks.Rows(MaxScores, Total, HidesLater ? AttentionBlocks.RowsWhereLaterIsHidden : 144));

        public readonly void Run(int chunk)
        {
            (int n, int keyHead) = (chunk / KeyHeads, chunk % KeyHeads);
            (long startK, int strideK) = Place(n, keyHead, KeyHeads, Total, HeadSize);
            (long startV, int strideV) = Place(n, keyHead, KeyHeads, Total, ValueSize);
            Clear(OfK + startK, strideK, HeadSize);
            Clear(OfV + startV, strideV, ValueSize);
            if (Queries == 0 || Total == 0) return;
            int rows = Rows;
            long gemmBytes = Rounded(ProductBytes(rows)), keyBytes = Rounded(PackedMatrix.Bytes(PackedMatrix.Side.Right, Total, HeadSize)), valueBytes = Rounded(PackedMatrix.Bytes(PackedMatrix.Side.Right, Total, ValueSize));
            long turnedBytes = Rounded(PackedMatrix.Bytes(PackedMatrix.Side.Right, HeadSize, Total));
            byte* scratch = (byte*)ThreadScratch.Get(gemmBytes + keyBytes + valueBytes + turnedBytes + 2L * rows * Total * sizeof(float));
            float* keys = (float*)(scratch + gemmBytes), values = keys + keyBytes / sizeof(float), turned = values + valueBytes / sizeof(float), scores = turned + turnedBytes / sizeof(float);
            PackedMatrix.Pack(PackedMatrix.Side.Right, K + startK, strideK, true, Total, HeadSize, keys);
            PackedMatrix.Pack(PackedMatrix.Side.Right, V + startV, strideV, true, Total, ValueSize, values);
            PackedMatrix packed = PackedMatrix.Pack(PackedMatrix.Side.Right, K + startK, strideK, false, HeadSize, Total, turned);
            for (int head = keyHead * (Heads / KeyHeads); head < (keyHead + 1) * (Heads / KeyHeads); head++)
            {
                for (int first = 0; first < Queries; first += rows)
                {
                    var block = new Block(n, head, first, Math.Min(rows, Queries - first), HidesLater ? Math.Min(Total, first + rows) : Total);
                    Gradients(block, keys, values, packed, ((nint)(OfK + startK), strideK), ((nint)(OfV + startV), strideV), scores, scratch);
                }
            }
        }

        /// <summary>Some queries of a head, and the keys that any of them sees.</summary>
        private readonly record struct Block(int Item, int Head, int First, int Rows, int Keys);

        private readonly void Gradients(in Block block, float* keys, float* values, PackedMatrix turned, (nint Address, int Stride) ofK, (nint Address, int Stride) ofV, float* scores, void* scratch)
        {
            (long startQ, int strideQ) = Place(block.Item, block.Head, Heads, Queries, HeadSize);
            (long startG, int strideG) = Place(block.Item, block.Head, Heads, Queries, ValueSize);
            (int rows, int count) = (block.Rows, block.Keys);
            float* q = Q + startQ + (long)block.First * strideQ, g = G + startG + (long)block.First * strideG, slopes = scores + (long)rows * count;
            FloatKernel kernel = FloatKernel.Active;
            Gemm.Run(new(rows, count, HeadSize) { A = q, StrideA = strideQ, PackedB = PackedMatrix.Over(PackedMatrix.Side.Right, count, HeadSize, keys, kernel), C = scores, StrideC = count }, scratch);
            Gemm.Run(new(rows, count, ValueSize) { A = g, StrideA = strideG, PackedB = PackedMatrix.Over(PackedMatrix.Side.Right, count, ValueSize, values, kernel), C = slopes, StrideC = count }, scratch);
            for (int i = 0; i < rows; i++) Finish(block.Item, block.Head, block.First + i, scores + (long)i * count, slopes + (long)i * count, count);
            Gemm.Run(new(count, ValueSize, rows) { A = scores, StrideA = count, TransposeA = true, B = g, StrideB = strideG, C = (float*)ofV.Address, StrideC = ofV.Stride, Beta = 1 }, scratch);
            Gemm.Run(new(count, HeadSize, rows) { A = slopes, StrideA = count, TransposeA = true, B = q, StrideB = strideQ, C = (float*)ofK.Address, StrideC = ofK.Stride, Beta = 1 }, scratch);
            Gemm.Run(new(rows, HeadSize, count) { A = slopes, StrideA = count, PackedB = turned, C = OfQ + startQ + (long)block.First * strideQ, StrideC = strideQ }, scratch);
        }

        /// <summary>Scores become probabilities p; the gradients g of those become scale * p * (g - sum(p g)).</summary>
        private readonly void Finish(int n, int head, int query, float* row, float* slopes, int count)
        {
            float sum;
            if (Mask.IsEmpty) sum = FloatAttentionKernel.Exponentials(row, count, Scale);
            else
            {
                FloatAttentionKernel.Multiply(row, count, Scale);
                Mask.Apply(n, head, query, new(row, count));
                sum = FloatAttentionKernel.Exponentials(row, count, 1);
            }
            Slopes(row, slopes, count, sum == 0 ? 0 : 1 / sum, Scale);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Slopes(float* p, float* g, int count, float inverse, float scale)
        {
            int i = 0, width = Vector<float>.Count;
            Vector<float> inverses = new(inverse), lanes = default;
            for (; i + width <= count; i += width)
            {
                Vector<float> probability = *(Vector<float>*)(p + i) * inverses;
                *(Vector<float>*)(p + i) = probability;
                lanes += probability * *(Vector<float>*)(g + i);
            }
            float mean = Vector.Sum(lanes);
            for (; i < count; i++)
            {
                p[i] *= inverse;
                mean += p[i] * g[i];
            }
            (Vector<float> means, Vector<float> scales) = (new(mean), new(scale));
            for (i = 0; i + width <= count; i += width) *(Vector<float>*)(g + i) = *(Vector<float>*)(p + i) * scales * (*(Vector<float>*)(g + i) - means);
            for (; i < count; i++) g[i] = p[i] * scale * (g[i] - mean);
        }

        private readonly long ProductBytes(int rows) => Math.Max(
            Math.Max(Gemm.ScratchBytes(rows, Total, HeadSize), Gemm.ScratchBytes(rows, Total, ValueSize)),
            Math.Max(Math.Max(Gemm.ScratchBytes(Total, ValueSize, rows), Gemm.ScratchBytes(Total, HeadSize, rows)), Gemm.ScratchBytes(rows, HeadSize, Total)));

        private static long Rounded(long bytes) => (bytes + 63) / 64 * 64;

        private readonly void Clear(float* rows, int stride, int size)
        {
            for (int i = 0; i < Total; i++) new Span<float>(rows + (long)i * stride, size).Clear();
        }

        /// <summary>Where a head of [N, heads, length, size] or [N, length, heads * size] starts, and the distance of its rows.</summary>
        private readonly (long Start, int Stride) Place(int n, int head, int heads, int length, int size) =>
            IsSplit ? (((long)n * heads + head) * length * size, size) : (((long)n * length * heads + head) * size, heads * size);
    }
}
