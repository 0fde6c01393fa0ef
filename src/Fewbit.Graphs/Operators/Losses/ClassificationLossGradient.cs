using System.Numerics;
using Fewbit.Graphs.Operators.Movement;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators.Losses;

/// <summary>Gradient of the scores or logarithms of <see cref="ClassificationLoss"/>: weight[t] / (weights that took part) * gradient * (softmax(x) - 1 at t), without the softmax for logarithms.</summary>
/// <remarks>Inputs: x, target, weight (or none), gradient of the loss.</remarks>
internal sealed record ClassificationLossGradient(ClassificationLoss Loss) : IDifferentiable, IInPlaceOperator
{
    private const int LossGradient = 3;

    public static ClassificationLossGradient Parse(Node node) => new(ClassificationLoss.Parse(node, node.Int("scores") != 0));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 4);
        ClassificationLoss.ExpectParts(context);
        context.InferLikeInput();
    }

    /// <summary>The scores of a place are read before they are written.</summary>
    public bool CanOverwrite(int index) => index == 0;

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.ThroughFloat32(context, this)) ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context, Loss));
    }

    public void Gradient(GradientContext context) => CompositeGradient.Apply(context, inputs =>
        CompositeGradient.Of(context.Graph, inputs, [inputs[LossGradient]], [0], SpellOut));

    /// <summary>The loss in simpler operators.</summary>
    private Value?[] SpellOut(Value?[] inputs)
    {
        (Value x, Value target, Graph graph) = (inputs[0]!, inputs[ClassificationLoss.Target]!, inputs[0]!.Graph);
        Value ignored = graph.AddConstant("ignored", Tensor.From(Loss.IgnoredClass ?? -1L));
        Value classes = target.Apply("Cast", new Attributes { { "to", (long)ElementType.Int64 } }), counts = classes.Apply("Equal", ignored).Apply("Not");
        classes = counts.Apply("Where", classes, graph.AddConstant("first", Tensor.From(0L)));
        Value share = counts.Apply("CastLike", x);
        if (inputs[ClassificationLoss.Weights] is { } weights) share *= weights.Apply("Gather", classes);
        Value axis = graph.AddConstant("axis", Tensor.From(1L)), logarithms = Loss.TakesScores ? x.Apply("LogSoftmax", new Attributes { { "axis", 1 } }) : x;
        Value places = classes.Apply("Unsqueeze", axis), picked = logarithms.Apply("GatherElements", new Attributes { { "axis", 1 } }, places).Apply("Squeeze", axis);
        Value losses = -(picked * share);
        if (Loss.Reduction == "none") return [losses];
        var all = new Attributes { { "keepdims", 0 } };
        Value sum = losses.Apply("ReduceSum", all);
        return [Loss.Reduction == "sum" ? sum : sum / share.Apply("ReduceSum", new Attributes { { "keepdims", 0 } })];
    }

    private readonly unsafe struct Action(EvaluationContext context, ClassificationLoss settings) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            (Tensor x, Tensor y) = (context.Input(0), context.Output(0));
            int classes = (int)x.Shape[1], inner = (int)x.Shape.CountOf(2, x.Rank), places = (int)x.Shape[0] * inner;
            byte* scratch = (byte*)context.Scratch((long)Math.Max(1, places) * (sizeof(T) + sizeof(int)));
            T* factors = (T*)scratch;
            int* targets = (int*)(scratch + (long)places * sizeof(T));
            Prepare(factors, targets, places, classes);
            if (typeof(T) == typeof(float) && inner == 1 && settings.TakesScores)
            {
                var job = new ScoreRows.GradientJob { X = (float*)x.Address, Y = (float*)y.Address, Factors = (float*)factors, Targets = targets, Rows = places, Classes = classes };
                Workers.Run(job.Chunks, ref job);
            }
            else
            {
                if (!settings.TakesScores) y.Bytes.Clear();
                for (int i = 0; i < places; i++)
                {
                    long start = (long)(i / inner) * classes * inner + i % inner;
                    T* to = (T*)y.Address + start;
                    if (settings.TakesScores) Probabilities((T*)x.Address + start, to, factors[i], classes, inner);
                    to[(long)targets[i] * inner] -= factors[i];
                }
            }
            GC.KeepAlive(context);
        }

        /// <summary>What each place's loss is multiplied by (0: ignored), and its class.</summary>
        private void Prepare<T>(T* factors, int* targets, int places, int classes) where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            ReadOnlySpan<T> weights = context.FindInput(ClassificationLoss.Weights) is { } given ? given.Span<T>() : default, arriving = context.Input(LossGradient).Span<T>();
            IndexList classesRight = Indices.Read(context.Input(ClassificationLoss.Target));
            double share = 0;
            for (int i = 0; i < places; i++)
            {
                int target = settings.ClassOf(context.Node, classesRight, i, classes);
                factors[i] = target < 0 ? T.Zero : weights.IsEmpty ? T.One : weights[target];
                targets[i] = Math.Max(0, target);
                share += double.CreateChecked(factors[i]);
            }
            bool isNone = settings.Reduction == "none";
            T common = isNone ? T.One : settings.Reduction == "sum" ? arriving[0] : arriving[0] / T.CreateChecked(share);
            for (int i = 0; i < places; i++)
            {
                if (factors[i] != T.Zero) factors[i] *= isNone ? arriving[i] : common;
            }
        }

        private static void Probabilities<T>(T* x, T* y, T factor, int classes, int inner) where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            T largest = T.NegativeInfinity, sum = T.Zero;
            for (int c = 0; c < classes; c++) largest = T.Max(largest, x[(long)c * inner]);
            for (int c = 0; c < classes; c++) sum += y[(long)c * inner] = T.Exp(x[(long)c * inner] - largest);
            for (int c = 0; c < classes; c++) y[(long)c * inner] *= factor / sum;
        }
    }
}
