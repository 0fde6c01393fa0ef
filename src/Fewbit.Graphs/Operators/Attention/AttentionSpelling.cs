using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>Attention in simpler operators, so that every form of it has a gradient.</summary>
internal static class AttentionSpelling
{
    private const float Hidden = -1e30f; // far below any score, yet finite: a row that sees nothing stays a number
    private static readonly long[] SwapHeads = [0, 2, 1, 3];

    /// <summary>Outputs: result, present key, present value, scores at the stage that the node states.</summary>
    public static IReadOnlyList<Value?> SpellOut(Attention op, Node node, Value?[] inputs)
    {
        Value? At(int index) => index < inputs.Length ? inputs[index] : null;
        (Value query, Graph graph) = (inputs[0]!, inputs[0]!.Graph);
        bool isSplit = query.Shape?.Rank switch { 4 => true, 3 => false, _ => throw node.Fail("has a query of unknown rank, which its gradient rule needs") };
        Value q = Split(query, isSplit, op.QueryHeads), k = Split(inputs[1]!, isSplit, op.KeyHeads), v = Split(inputs[2]!, isSplit, op.KeyHeads);
        if (At(Attention.PastKey) is { } pastKey) k = pastKey.Apply("Concat", new Attributes { { "axis", 2 } }, k);
        if (At(Attention.PastValue) is { } pastValue) v = pastValue.Apply("Concat", new Attributes { { "axis", 2 } }, v);
        if (q.Shape is not { } shape || !shape[1].IsKnown || !shape[3].IsKnown || k.Shape is not { } keyShape || !keyShape[1].IsKnown) throw node.Fail("has a number or size of heads that is not known, which its gradient rule needs");
        (long heads, long keyHeads) = (shape[1].Length, keyShape[1].Length);
        double scale = op.Scale == 0 ? 1 / Math.Sqrt(shape[3].Length) : op.Scale;
        Value scores = Grouped(q, heads, keyHeads, k.Apply("Transpose", new Attributes { { "perm", new long[] { 0, 1, 3, 2 } } })) * q.Scalar(scale);
        Value stage = scores;
        if (op.SoftCap > 0) scores = (scores / q.Scalar(op.SoftCap)).Apply("Tanh") * q.Scalar(op.SoftCap);
        if (op.ScoreOutput == 1) stage = scores;
        Value? visible = Visible(op, inputs, scores, k);
        if (At(Attention.Mask) is { } mask && mask.Type != ElementType.Bool) scores += Widened(mask, scores, 0);
        if (visible is not null) scores = visible.Apply("Where", scores, q.Scalar(Hidden));
        if (op.ScoreOutput == 2) stage = scores;
        Value probabilities = scores.Apply("Softmax", new Attributes { { "axis", -1 } });
        if (visible is not null) probabilities *= visible.Apply("CastLike", q);
        if (op.ScoreOutput == 3) stage = probabilities;
        Value result = Grouped(probabilities, heads, keyHeads, v);
        if (!isSplit) result = result.Apply("Transpose", new Attributes { { "perm", SwapHeads } }).Apply("Reshape", Integers(graph, 0, 0, -1));
        return [result, k, v, stage];
    }

    /// <summary>[N, L, heads * size] as [N, heads, L, size].</summary>
    private static Value Split(Value rows, bool isSplit, long heads) =>
        isSplit ? rows : rows.Apply("Reshape", Integers(rows.Graph, 0, 0, heads, -1)).Apply("Transpose", new Attributes { { "perm", SwapHeads } });

    /// <summary>A product for each head, where several heads of the left operand share one of the right.</summary>
    private static Value Grouped(Value left, long heads, long keyHeads, Value right)
    {
        if (heads == keyHeads) return left.Apply("MatMul", right);
        (Graph graph, Value lengths) = (left.Graph, left.Apply("Shape"));
        Value Part(long start, long end) => lengths.Apply("Slice", Integers(graph, start), Integers(graph, end));
        Value grouped = Part(0, 1).Apply("Concat", new Attributes { { "axis", 0 } }, Integers(graph, keyHeads, heads / keyHeads), Part(2, 4));
        Value product = left.Apply("Reshape", grouped).Apply("MatMul", right.Apply("Unsqueeze", Integers(graph, 2)));
        Value joined = Part(0, 1).Apply("Concat", new Attributes { { "axis", 0 } }, Integers(graph, heads), Part(2, 3), Integers(graph, -1));
        return product.Apply("Reshape", joined);
    }

    /// <summary>Which keys a query sees, as bool that broadcasts to the scores; null where all of them.</summary>
    private static Value? Visible(Attention op, Value?[] inputs, Value scores, Value keys)
    {
        Graph graph = scores.Graph;
        Value? At(int index) => index < inputs.Length ? inputs[index] : null;
        Value? visible = null, lengths = At(Attention.KeyLengths);
        void Restrict(Value more) => visible = visible is null ? more : visible.Apply("And", more);
        Value Length(Value value, int axis) => value.Apply("Shape", new Attributes { { "start", axis }, { "end", axis + 1 } });
        Value Places(Value count) => Scalar(graph, 0).Apply("Range", count.Apply("Squeeze"), Scalar(graph, 1));
        Value total = Length(keys, 2), queries = Length(scores, 2), key = Places(total);
        Value? ends = lengths?.Apply("Reshape", Integers(graph, -1, 1, 1, 1));
        if (ends is not null) Restrict(key.Apply("Less", ends));
        if (op.IsCausal)
        {
            Value place = Places(queries).Apply("Unsqueeze", Integers(graph, 1));
            Value past = At(Attention.PastKey) is { } state ? Length(state, 2) : ends is not null ? ends - queries : Scalar(graph, 0);
            Restrict(key.Apply("LessOrEqual", place + past));
        }
        if (At(Attention.Mask) is not { } mask) return visible;
        if (mask.Type == ElementType.Bool) Restrict(Widened(mask.Apply("Cast", new Attributes { { "to", (long)scores.Type } }), scores, 0).Apply("Greater", scores.Scalar(0)));
        else Restrict(Widened(mask, scores, Hidden * 2).Apply("Greater", scores.Scalar(Hidden)));
        return visible;
    }

    /// <summary>A mask that ends before the keys do is continued by a number.</summary>
    private static Value Widened(Value mask, Value scores, float number)
    {
        if (mask.Shape is not { Rank: > 0 } own || scores.Shape is not { } shape || own.Dims[^1] == shape.Dims[^1] || own.Dims[^1] == 1) return mask;
        Graph graph = mask.Graph;
        Value missing = scores.Apply("Shape", new Attributes { { "start", -1 } }) - mask.Apply("Shape", new Attributes { { "start", -1 } });
        Value pads = Integers(graph, 0).Apply("Concat", new Attributes { { "axis", 0 } }, missing);
        return mask.Apply("Pad", pads, mask.Scalar(number), Integers(graph, -1));
    }

    private static Value Integers(Graph graph, params ReadOnlySpan<long> numbers) => graph.AddConstant("lengths", Tensor.From(numbers));

    private static Value Scalar(Graph graph, long number) => graph.AddConstant("number", Tensor.Scalar(number));
}
