using System.Numerics;
using Fewbit.Graphs.Operators.Movement;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators.Losses;

/// <summary>ONNX NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss, opset 13: -weight[t] * logProbability[n, t, ...] for the class t that is right.</summary>
/// <param name="Reduction">none, sum or mean; a mean divides by the weights that took part.</param>
/// <param name="IgnoredClass">A target that counts nothing; it may lie outside the classes.</param>
/// <param name="TakesScores">Whether the input holds scores, of which the log-softmax over dimension 1 is taken first.</param>
internal sealed record ClassificationLoss(string Reduction, long? IgnoredClass, bool TakesScores) : IDifferentiable
{
    public const int Target = 1, Weights = 2;

    public static ClassificationLoss Parse(Node node, bool takesScores)
    {
        string reduction = node.String("reduction", "mean");
        node.Expect(reduction is "none" or "sum" or "mean", $"reduction is '{reduction}', expected none, sum or mean");
        return new(reduction, node.Attributes.Contains("ignore_index") ? node.Int("ignore_index") : null, takesScores);
    }

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(2, 3);
        ElementType type = context.InputType(0);
        SymbolicShape? x = context.InputShape(0);
        ExpectParts(context);
        context.SetOutput(0, type, Reduction == "none" ? context.InputShape(Target) : []);
        if (TakesScores) context.SetOutput(1, type, x);
    }

    /// <summary>Checks what the loss and its gradient share.</summary>
    public static void ExpectParts(InferenceContext context)
    {
        Node node = context.Node;
        context.ExpectType(0, ElementTypes.IsFloat, "a float type");
        context.ExpectType(Target, target => target is ElementType.Int32 or ElementType.Int64, "int32 or int64 classes");
        SymbolicShape? x = context.InputShape(0), target = context.InputShape(Target);
        node.Expect(x is null or { Rank: >= 2 }, $"input has shape {x}, expected [N, C, ...]");
        if (x is not null && target is not null)
        {
            SymbolicShape expected = [x[0], .. x.Dims[2..]];
            bool fits = target.Rank == expected.Rank && Enumerable.Range(0, target.Rank).All(axis => target[axis].MayEqual(expected[axis]));
            node.Expect(fits, $"target has shape {target}, expected {expected} (input is {x})");
        }
        if (x is not null) node.ExpectVector(context, Weights, x[1], "weight");
    }

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.ThroughFloat32(context, this)) ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context, this));
    }

    public void Gradient(GradientContext context)
    {
        if (context.Needs(Weights)) throw context.Node.Fail("has no gradient rule for its weights");
        if (!context.Needs(0)) return;
        Value? gradient = null;
        if (context.OutputGradient() is { } arriving)
        {
            var attributes = new Attributes { { "reduction", Reduction }, { "scores", TakesScores } };
            if (IgnoredClass is { } ignored) attributes.Add("ignore_index", ignored);
            gradient = context.Input(0).Apply(OperatorTable.FewbitDomain, "ClassificationLossGradient", attributes, context.Input(Target), context.Node.Input(Weights), arriving);
        }
        if (context.OutputGradient(1) is { } ofLogarithms)
        {
            Value second = context.Output(1).Apply(OperatorTable.FewbitDomain, "SoftmaxGradient", new() { { "axis", 1 }, { "logarithmic", 1 } }, ofLogarithms);
            gradient = gradient is null ? second : gradient + second;
        }
        if (gradient is not null) context.SetInputGradient(0, gradient);
    }

    /// <summary>The class of place <paramref name="at"/>, or -1 where it is ignored.</summary>
    /// <exception cref="InvalidDataException">It lies outside the classes.</exception>
    public int ClassOf(Node node, IndexList targets, int at, int classes)
    {
        long target = targets[at];
        if (target == IgnoredClass) return -1;
        node.Expect(target >= 0 && target < classes, $"target {at} is class {target}, expected 0 to {classes - 1}");
        return (int)target;
    }

    private readonly unsafe struct Action(EvaluationContext context, ClassificationLoss settings) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            Tensor x = context.Input(0);
            int classes = (int)x.Shape[1], inner = (int)x.Shape.CountOf(2, x.Rank), places = (int)x.Shape[0] * inner;
            // The logarithm that is taken off the scores of each place; 0 where they are logarithms of probabilities.
            T* shifts = (T*)context.Scratch((long)Math.Max(1, places) * sizeof(T));
            if (!settings.TakesScores) new Span<T>(shifts, places).Clear();
            else if (typeof(T) == typeof(float) && inner == 1) RowShifts((float*)x.Address, (float*)shifts, places, classes);
            else Shifts((T*)x.Address, shifts, places, classes, inner);
            if (context.HasOutput(1)) WriteLogarithms((T*)x.Address, shifts, (T*)context.Output(1).Address, places, classes, inner);
            Reduce((T*)x.Address, shifts, context.Output(0).Span<T>(), places, classes, inner);
            GC.KeepAlive(context);
        }

        private void Reduce<T>(T* x, T* shifts, Span<T> losses, int places, int classes, int inner) where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            ReadOnlySpan<T> weights = context.FindInput(Weights) is { } given ? given.Span<T>() : default;
            IndexList targets = Indices.Read(context.Input(Target));
            double sum = 0, share = 0;
            for (int i = 0; i < places; i++)
            {
                int target = settings.ClassOf(context.Node, targets, i, classes);
                double weight = target < 0 ? 0 : weights.IsEmpty ? 1 : double.CreateChecked(weights[target]);
                double one = target < 0 ? 0 : -weight * double.CreateChecked(x[((long)(i / inner) * classes + target) * inner + i % inner] - shifts[i]);
                if (settings.Reduction == "none") losses[i] = T.CreateChecked(one);
                (sum, share) = (sum + one, share + weight);
            }
            if (settings.Reduction != "none") losses[0] = T.CreateChecked(settings.Reduction == "sum" ? sum : sum / share);
        }

        private static void RowShifts(float* x, float* shifts, int rows, int classes)
        {
            var job = new ScoreRows.LogSumJob { X = x, Sums = shifts, Rows = rows, Classes = classes };
            Workers.Run(job.Chunks, ref job);
        }

        private static void Shifts<T>(T* x, T* shifts, int places, int classes, int inner) where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            for (int i = 0; i < places; i++)
            {
                T* scores = x + (long)(i / inner) * classes * inner + i % inner;
                T largest = T.NegativeInfinity;
                for (int c = 0; c < classes; c++) largest = T.Max(largest, scores[(long)c * inner]);
                double sum = 0;
                for (int c = 0; c < classes; c++) sum += Math.Exp(double.CreateChecked(scores[(long)c * inner] - largest));
                shifts[i] = largest + T.CreateChecked(Math.Log(sum));
            }
        }

        private static void WriteLogarithms<T>(T* x, T* shifts, T* y, int places, int classes, int inner) where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            for (int i = 0; i < places; i++)
            {
                long start = (long)(i / inner) * classes * inner + i % inner;
                for (long at = start; at < start + (long)classes * inner; at += inner) y[at] = x[at] - shifts[i];
            }
        }
    }
}
