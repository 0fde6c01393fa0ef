using System.Numerics;
using Fewbit.Graphs.Operators.Control;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ai.onnx.preview FlexAttention: softmax(Scale * Q * K') * V by head, where graphs of the node change scores and probabilities.</summary>
/// <param name="Scale">Factor of the scores; 0: 1 / sqrt(size).</param>
/// <param name="Precision">Element type of scores and probabilities; null: float32, of float64 inputs float64.</param>
/// <param name="ChangeScores">Takes and returns the scores [N, heads, L, S].</param>
/// <param name="ChangeProbabilities">Takes and returns the probabilities.</param>
internal sealed record FlexAttention(float Scale, ElementType? Precision, Graph? ChangeScores, Graph? ChangeProbabilities) : IDifferentiable
{
    public static FlexAttention Parse(Node node)
    {
        foreach (Graph body in node.Subgraphs()) node.Expect(body.Inputs.Count == 1 && body.Outputs.Count == 1, $"graph '{body.Name}' has {body.Inputs.Count} inputs and {body.Outputs.Count} outputs, expected one each");
        ElementType? precision = node.Attributes.Contains("softmax_precision") ? (ElementType)node.Int("softmax_precision") : null;
        node.Expect(precision is null || precision == ElementType.Float32 || precision == ElementType.Float64 || Converted.IsHalf(precision.Value), $"softmax_precision is {precision?.Name()}, expected float32, float64, float16 or bfloat16");
        return new(node.Float("scale", 0), precision, node.Attribute<Graph>("score_mod"), node.Attribute<Graph>("prob_mod"));
    }

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(3, 3);
        ElementType type = node.ExpectOneFloatType(context);
        SymbolicShape? q = context.InputShape(0), k = context.InputShape(1), v = context.InputShape(2);
        node.Expect(q is null or { Rank: 4 } && k is null or { Rank: 4 } && v is null or { Rank: 4 }, $"query, key and value have shapes {q}, {k} and {v}, expected [N, heads, L, size]");
        if (q is not null && k is not null && v is not null)
        {
            bool fits = q[0].MayEqual(k[0]) && q[0].MayEqual(v[0]) && q[3].MayEqual(k[3]) && k[1].MayEqual(v[1]) && k[2].MayEqual(v[2]);
            node.Expect(fits, $"query, key and value have shapes {q}, {k} and {v}, expected one batch, equal sizes in query and key, equal lengths in key and value");
            node.Expect(!q[1].IsKnown || !k[1].IsKnown || (k[1].Length > 0 && q[1].Length % k[1].Length == 0), $"{q[1]} query heads cannot share {k[1]} key heads evenly");
        }
        SymbolicShape scores = [q?[0] ?? Dim.Unknown, q?[1] ?? Dim.Unknown, q?[2] ?? Dim.Unknown, k?[2] ?? Dim.Unknown];
        foreach (Graph body in node.Subgraphs()) context.InferBody(body, [new ValueFacts(PrecisionFor(type), scores)]);
        context.SetOutput(0, type, q is null ? null : [q[0], q[1], q[2], v?[3] ?? Dim.Unknown]);
    }

    public void Evaluate(EvaluationContext context)
    {
        ElementType type = context.Input(0).Type;
        if (PrecisionFor(type) == ElementType.Float64 || type == ElementType.Float64) Run<double>(context);
        else Run<float>(context);
    }

    public void Gradient(GradientContext context)
    {
        context.Node.Expect(ChangeScores is null && ChangeProbabilities is null && PrecisionFor(context.Input(0).Type) == context.Input(0).Type, $"has no gradient rule where a graph changes its scores or probabilities, or where these have another type than {context.Input(0).Type.Name()}");
        var attention = new Attention(0, 0, Scale, 0, false, 0);
        CompositeGradient.Apply(context, inputs => [AttentionSpelling.SpellOut(attention, context.Node, inputs)[0]]);
    }

    private ElementType PrecisionFor(ElementType type) => Precision ?? (type == ElementType.Float64 ? type : ElementType.Float32);

    private void Run<T>(EvaluationContext context) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        Tensor[] inputs = [.. Enumerable.Range(0, 3).Select(i => Casting.Convert(context.Input(i), ElementTypes.Of<T>()))];
        (Shape q, Shape k, Shape v) = (inputs[0].Shape, inputs[1].Shape, inputs[2].Shape);
        (int queries, int keys, int size, int valueSize, int share) = ((int)q[2], (int)k[2], (int)q[3], (int)v[3], (int)(q[1] / k[1]));
        T scale = Scale == 0 ? T.One / T.Sqrt(T.CreateChecked(size)) : T.CreateChecked(Scale);
        Tensor scores = Tensor.AllocateUninitialized(ElementTypes.Of<T>(), [q[0], q[1], queries, keys]), y = Tensor.AllocateUninitialized(ElementTypes.Of<T>(), [q[0], q[1], queries, valueSize]);
        for (int head = 0; head < q[0] * q[1]; head++)
            MatrixReference.Multiply(queries, keys, size, Part<T>(inputs[0], head), false, Part<T>(inputs[1], head / share), true, scale, Part<T>(scores, head));
        scores = Changed(context, ChangeScores, scores);
        Span<T> rows = scores.Span<T>();
        for (int start = 0; start < rows.Length && keys > 0; start += keys) Normalize(rows.Slice(start, keys));
        scores = Changed(context, ChangeProbabilities, scores);
        for (int head = 0; head < q[0] * q[1]; head++)
            MatrixReference.Multiply(queries, valueSize, keys, Part<T>(scores, head), false, Part<T>(inputs[2], head / share), false, T.One, Part<T>(y, head));
        Casting.Convert(y, context.Output(0));
    }

    /// <summary>The matrix of one head of one batch item.</summary>
    private static Span<T> Part<T>(Tensor heads, int index) where T : unmanaged
    {
        int count = (int)heads.Shape.CountOf(2, 4);
        return heads.Span<T>().Slice(index * count, count);
    }

    private Tensor Changed(EvaluationContext context, Graph? body, Tensor scores)
    {
        if (body is null) return scores;
        Tensor changed = context.RunBody(body, [Casting.Convert(scores, PrecisionFor(context.Input(0).Type))])[0];
        context.Node.Expect(changed.Shape == scores.Shape, $"graph '{body.Name}' returns {changed}, expected shape {scores.Shape}");
        return Casting.Convert(changed, scores.Type);
    }

    private static void Normalize<T>(Span<T> row) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        T largest = T.NegativeInfinity, sum = T.Zero;
        foreach (T score in row) largest = T.Max(largest, score);
        foreach (ref T score in row) sum += score = T.Exp(score - largest);
        foreach (ref T score in row) score /= sum;
    }
}
