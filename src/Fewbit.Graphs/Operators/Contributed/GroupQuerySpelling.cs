using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Contributed;

/// <summary>GroupQueryAttention without earlier keys, as learning meets it, in simpler operators: ONNX Attention on heads that share keys, and one mask.</summary>
internal sealed class GroupQuerySpelling(GroupQueryAttention op, Node node, Value?[] inputs)
{
    private static readonly long[] SwapHeads = [0, 2, 1, 3];

    private readonly Value _query = inputs[0]!;

    /// <summary>Outputs: result, and the keys and values as caches.</summary>
    public IReadOnlyList<Value?> SpellOut()
    {
        int queries = node.KnownLength(_query, 1), size = node.KnownLength(_query, 2) / op.Shares(At(1) is not null);
        node.Expect(At(GroupQueryAttention.PastKey) is null && node.KnownInts(GroupQueryAttention.TotalLength) is [var total] && total == queries, $"its gradient rule needs all {queries} keys to be new: no past_key, and total_sequence_length {queries}");
        Value q = Turned(Split(_query, 0, op.HeadCount, size)), keys = Turned(New(1, size)), values = New(2, size), k = keys, v = values, mask = Mask(queries);
        if (Sinks() is { } sinks)
        {
            // One more key and value of zeros behind the others: its score is what the mask adds.
            (k, v) = (k.Pad([0, 0, 0, 0], [0, 0, 1, 0]), v.Pad([0, 0, 0, 0], [0, 0, 1, 0]));
            Value column = sinks.Apply("Expand", mask.Slice(3, 0, 1).Apply("Shape"));
            mask = mask.Apply("Expand", Integers(1, op.HeadCount, 1, 1)).Concat(3, column);
        }
        Value result = q.Apply("Attention", new Attributes { { "scale", op.Scale }, { "softcap", op.SoftCap } }, k, v, mask);
        return [result.Apply("Transpose", new Attributes { { "perm", SwapHeads } }).Apply("Reshape", Integers(0, 0, -1)), keys, values];
    }

    private Value? At(int index) => index < inputs.Length ? inputs[index] : null;

    private Value Integers(params ReadOnlySpan<long> numbers) => _query.Integers("lengths", numbers);

    /// <summary>The keys (1) or values (2) as [N, heads, L, size].</summary>
    private Value New(int input, int size) => At(input) is { } own ? Split(own, 0, op.KeyHeadCount, size) : Split(_query, (op.HeadCount + (input - 1) * op.KeyHeadCount) * size, op.KeyHeadCount, size);

    private Value Split(Value rows, long first, long heads, long size) =>
        rows.Slice(2, first, first + heads * size).Apply("Reshape", Integers(0, 0, heads, size)).Apply("Transpose", new Attributes { { "perm", SwapHeads } });

    private Value Turned(Value x)
    {
        if (!op.Rotary.Is) return x;
        Value cosines = At(GroupQueryAttention.Cosines)!;
        var attributes = new Attributes { { "interleaved", op.Rotary.IsInterleaved }, { "num_heads", 1 }, { "rotary_embedding_dim", 2L * node.KnownLength(cosines, -1) } };
        return x.Apply("com.microsoft", "RotaryEmbedding", attributes, At(GroupQueryAttention.Positions) ?? Integers(0), cosines, At(GroupQueryAttention.Sines));
    }

    /// <summary>What is added to the scores [N, 1 or heads, L, L]: minus infinity where a key is hidden.</summary>
    private Value Mask(int queries)
    {
        var isLater = new bool[queries * queries];
        for (int i = 0; i < isLater.Length; i++)
        {
            (int query, int key) = Math.DivRem(i, queries);
            isLater[i] = key > query || (op.Window >= 0 && query - key >= op.Window);
        }
        long[] places = [.. Enumerable.Range(0, queries).Select(place => (long)place)];
        Value last = At(GroupQueryAttention.LastPlaces)!.Apply("Cast", new Attributes { { "to", (long)ElementType.Int64 } }).Apply("Reshape", Integers(-1, 1, 1, 1));
        Value isHidden = Integers(places).Apply("Greater", last).Apply("Or", _query.Graph.AddConstant("later", Tensor.From<bool>(isLater, [queries, queries])));
        return isHidden.Apply("Where", _query.Scalar(float.NegativeInfinity), At(GroupQueryAttention.ScoreBias) ?? _query.Scalar(0));
    }

    /// <summary>The score of the key that every query sees, [1, heads, 1, 1]; null where there is none.</summary>
    private Value? Sinks() => At(GroupQueryAttention.Sinks) is { } stated ? stated.Apply("Reshape", Integers(1, op.HeadCount, 1, 1))
        : op.IsSmooth ? _query.Numbers("sinks", [1, op.HeadCount, 1, 1], new float[op.HeadCount]) : null;
}
