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
        public bool IsSplit;
        public float Scale;

        private readonly int Rows => Math.Min(Queries, Math.Clamp(MaxScores / Math.Max(1, Total) / 12 * 12, 12, 144));

        public readonly void Run(int chunk)
        {
            (int n, int keyHead) = (chunk / KeyHeads, chunk % KeyHeads);
            (long startK, int strideK) = Place(n, keyHead, KeyHeads, Total, HeadSize);
            (long startV, int strideV) = Place(n, keyHead, KeyHeads, Total, ValueSize);
            Clear(OfK + startK, strideK, HeadSize);
            Clear(OfV + startV, strideV, ValueSize);
            if (Queries == 0 || Total == 0) return;
            int rows = Rows;
            long gemmBytes = (ProductBytes(rows) + 63) / 64 * 64;
            byte* scratch = (byte*)ThreadScratch.Get(gemmBytes + 2L * rows * Total * sizeof(float));
            float* scores = (float*)(scratch + gemmBytes);
            for (int head = keyHead * (Heads / KeyHeads); head < (keyHead + 1) * (Heads / KeyHeads); head++)
            {
                for (int first = 0; first < Queries; first += rows) Block(n, head, first, Math.Min(rows, Queries - first), K + startK, strideK, V + startV, strideV, OfK + startK, OfV + startV, scores, scratch);
            }
        }

        private readonly void Block(int n, int head, int first, int rows, float* k, int strideK, float* v, int strideV, float* ofK, float* ofV, float* scores, void* scratch)
        {
            (long startQ, int strideQ) = Place(n, head, Heads, Queries, HeadSize);
            (long startG, int strideG) = Place(n, head, Heads, Queries, ValueSize);
            (startQ, startG) = (startQ + (long)first * strideQ, startG + (long)first * strideG);
            float* slopes = scores + (long)rows * Total;
            Gemm.Run(new(rows, Total, HeadSize) { A = Q + startQ, StrideA = strideQ, B = k, StrideB = strideK, TransposeB = true, C = scores, StrideC = Total }, scratch);
            Gemm.Run(new(rows, Total, ValueSize) { A = G + startG, StrideA = strideG, B = v, StrideB = strideV, TransposeB = true, C = slopes, StrideC = Total }, scratch);
            for (int i = 0; i < rows; i++) Finish(n, head, first + i, scores + (long)i * Total, slopes + (long)i * Total);
            Gemm.Run(new(Total, ValueSize, rows) { A = scores, StrideA = Total, TransposeA = true, B = G + startG, StrideB = strideG, C = ofV, StrideC = strideV, Beta = 1 }, scratch);
            Gemm.Run(new(Total, HeadSize, rows) { A = slopes, StrideA = Total, TransposeA = true, B = Q + startQ, StrideB = strideQ, C = ofK, StrideC = strideK, Beta = 1 }, scratch);
            Gemm.Run(new(rows, HeadSize, Total) { A = slopes, StrideA = Total, B = k, StrideB = strideK, C = OfQ + startQ, StrideC = strideQ }, scratch);
        }

        /// <summary>Scores become probabilities p; the gradients g of those become scale * p * (g - sum(p g)).</summary>
        private readonly void Finish(int n, int head, int query, float* row, float* slopes)
        {
            float sum;
            if (Mask.IsEmpty) sum = FloatAttentionKernel.Exponentials(row, Total, Scale);
            else
            {
                FloatAttentionKernel.Multiply(row, Total, Scale);
                Mask.Apply(n, head, query, new(row, Total));
                sum = FloatAttentionKernel.Exponentials(row, Total, 1);
            }
            Slopes(row, slopes, Total, sum == 0 ? 0 : 1 / sum, Scale);
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

        private readonly void Clear(float* rows, int stride, int size)
        {
            for (int i = 0; i < Total; i++) new Span<float>(rows + (long)i * stride, size).Clear();
        }

        /// <summary>Where a head of [N, heads, length, size] or [N, length, heads * size] starts, and the distance of its rows.</summary>
        private readonly (long Start, int Stride) Place(int n, int head, int heads, int length, int size) =>
            IsSplit ? (((long)n * heads + head) * length * size, size) : (((long)n * length * heads + head) * size, heads * size);
    }
}
