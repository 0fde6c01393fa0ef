using System.Numerics;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>Gradient of Softmax, y (g - sum(g y)), or of LogSoftmax, g - e^y sum(g): inputs its output y and the gradient g.</summary>
/// <param name="Axis">Dimension that the sums run over.</param>
/// <param name="IsLogarithmic">True: of LogSoftmax.</param>
internal sealed record SoftmaxGradient(long Axis, bool IsLogarithmic) : IDifferentiable, IInPlaceOperator
{
    public static SoftmaxGradient Parse(Node node) => new(node.Int("axis", -1), node.Int("logarithmic", 0) != 0);

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        context.ExpectOneType(0, 1);
        if (context.InputShape(0) is { } shape) context.Node.Axis(Axis, shape.Rank);
        context.InferLikeInput();
    }

    public bool CanOverwrite(int index) => true;

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.ThroughFloat32(context, this)) ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context, this));
    }

    public void Gradient(GradientContext context) => CompositeGradient.Apply(context, inputs =>
    {
        (Value y, Value g, Value axes) = (inputs[0]!, inputs[1]!, context.Graph.AddConstant("axis", Tensor.From(Axis)));
        if (IsLogarithmic) return [g - y.Apply("Exp") * g.Apply("ReduceSum", axes)];
        Value weighted = g * y;
        return [weighted - y * weighted.Apply("ReduceSum", axes)];
    });

    private readonly unsafe struct Action(EvaluationContext context, SoftmaxGradient settings) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            Tensor y = context.Input(0);
            if (y.ElementCount == 0) return;
            int axis = context.Node.Axis(settings.Axis, y.Rank);
            (long outer, int length, int inner) = y.Rank == 0 ? (1, 1, 1) : (y.Shape.CountOf(0, axis), (int)y.Shape[axis], (int)y.Shape.CountOf(axis + 1, y.Rank));
            var job = new Job<T> { Y = (T*)y.Address, G = (T*)context.Input(1).Address, X = (T*)context.Output(0).Address, Slices = outer * inner, Length = length, Inner = inner, IsLogarithmic = settings.IsLogarithmic };
            Workers.Run(job.Chunks, ref job);
            GC.KeepAlive(context);
        }
    }

    /// <summary>A chunk is some slices of one sum each.</summary>
    private unsafe struct Job<T> : IJob where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        private const int ChunkElements = 1 << 14;
        public T* Y, G, X;
        public long Slices;
        public int Length, Inner;
        public bool IsLogarithmic;

        private readonly long PerChunk => Math.Max(1, ChunkElements / Length);

        public readonly int Chunks => checked((int)((Slices + PerChunk - 1) / PerChunk));

        public readonly void Run(int chunk)
        {
            long end = Math.Min(Slices, (chunk + 1) * PerChunk);
            for (long slice = chunk * PerChunk; slice < end; slice++)
            {
                long start = slice / Inner * Length * Inner + slice % Inner;
                if (Inner == 1 && typeof(T) == typeof(float)) Row((float*)Y + start, (float*)G + start, (float*)X + start);
                else Strided(Y + start, G + start, X + start);
            }
        }

        private readonly void Strided(T* y, T* g, T* x)
        {
            T sum = T.Zero;
            for (int i = 0; i < Length; i++) sum += IsLogarithmic ? g[(long)i * Inner] : g[(long)i * Inner] * y[(long)i * Inner];
            for (int i = 0; i < Length; i++)
            {
                long at = (long)i * Inner;
                x[at] = IsLogarithmic ? g[at] - T.Exp(y[at]) * sum : y[at] * (g[at] - sum);
            }
        }

        private readonly void Row(float* y, float* g, float* x)
        {
            int i = 0, width = Vector<float>.Count;
            Vector<float> lanes = default;
            for (; i + width <= Length; i += width) lanes += IsLogarithmic ? *(Vector<float>*)(g + i) : *(Vector<float>*)(g + i) * *(Vector<float>*)(y + i);
            float sum = Vector.Sum(lanes);
            for (; i < Length; i++) sum += IsLogarithmic ? g[i] : g[i] * y[i];
            var sums = new Vector<float>(sum);
            for (i = 0; i + width <= Length; i += width)
            {
                Vector<float> a = *(Vector<float>*)(y + i), b = *(Vector<float>*)(g + i);
                *(Vector<float>*)(x + i) = IsLogarithmic ? b - new Fewbit.Tensors.Kernels.VectorExp().Apply(a) * sums : a * (b - sums);
            }
            for (; i < Length; i++) x[i] = IsLogarithmic ? g[i] - MathF.Exp(y[i]) * sum : y[i] * (g[i] - sum);
        }
    }
}
