using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Losses;

/// <summary>ONNX NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss, opset 13: -weight[t] * logProbability[n, t, ...] for the class t that is right.</summary>
/// <param name="Reduction">none, sum or mean; a mean divides by the weights that took part.</param>
/// <param name="IgnoredClass">A target that counts nothing; it may lie outside the classes.</param>
/// <param name="TakesScores">Whether the input holds scores, of which the log-softmax over dimension 1 is taken first.</param>
internal sealed record ClassificationLoss(string Reduction, long? IgnoredClass, bool TakesScores) : IOperator
{
    private const int Target = 1, Weights = 2;

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
        context.SetOutput(0, type, Reduction == "none" ? target : []);
        if (TakesScores) context.SetOutput(1, type, x);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.ThroughFloat32(context, this)) ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context, this));
    }

    private readonly struct Action(EvaluationContext context, ClassificationLoss settings) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            Tensor x = context.Input(0), loss = context.Output(0);
            Tensor probabilities = !settings.TakesScores ? x : context.HasOutput(1) ? context.Output(1) : Tensor.AllocateUninitialized(x.Type, x.Shape);
            if (settings.TakesScores) LogSoftmax<T>(x, probabilities);
            Span<T> logarithms = probabilities.Span<T>(), losses = loss.Span<T>();
            ReadOnlySpan<T> weights = context.FindInput(Weights) is { } given ? given.Span<T>() : default;
            long[] targets = context.Node.ReadInts(context.Input(Target));
            int classes = (int)x.Shape[1], inner = (int)x.Shape.CountOf(2, x.Rank);
            double sum = 0, share = 0;
            for (int i = 0; i < targets.Length; i++)
            {
                long target = targets[i];
                double one = 0, weight = 0;
                if (target != settings.IgnoredClass)
                {
                    context.Node.Expect(target >= 0 && target < classes, $"target {i} is class {target}, expected 0 to {classes - 1}");
                    weight = weights.IsEmpty ? 1 : double.CreateChecked(weights[(int)target]);
                    one = -weight * double.CreateChecked(logarithms[(i / inner * classes + (int)target) * inner + i % inner]);
                }
                if (settings.Reduction == "none") losses[i] = T.CreateChecked(one);
                (sum, share) = (sum + one, share + weight);
            }
            if (settings.Reduction != "none") losses[0] = T.CreateChecked(settings.Reduction == "sum" ? sum : sum / share);
        }

        private static void LogSoftmax<T>(Tensor scores, Tensor probabilities) where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            Span<T> x = scores.Span<T>(), y = probabilities.Span<T>();
            int classes = (int)scores.Shape[1], inner = (int)scores.Shape.CountOf(2, scores.Rank);
            for (int i = 0; i < scores.Shape[0] * inner; i++)
            {
                int start = i / inner * classes * inner + i % inner;
                T largest = T.NegativeInfinity;
                for (int c = 0; c < classes; c++) largest = T.Max(largest, x[start + c * inner]);
                double sum = 0;
                for (int c = 0; c < classes; c++) sum += Math.Exp(double.CreateChecked(x[start + c * inner] - largest));
                T logarithm = T.CreateChecked(Math.Log(sum));
                for (int c = 0; c < classes; c++) y[start + c * inner] = x[start + c * inner] - largest - logarithm;
            }
        }
    }
}
