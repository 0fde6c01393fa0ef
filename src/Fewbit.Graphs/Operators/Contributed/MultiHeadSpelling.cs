using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Contributed;

/// <summary>MultiHeadAttention as ONNX Attention with heads of their own and one mask.</summary>
internal static class MultiHeadSpelling
{
    private static readonly long[] SwapHeads = [0, 2, 1, 3];

    /// <summary>Outputs: result, present key, present value.</summary>
    public static IReadOnlyList<Value?> SpellOut(MultiHeadAttention op, Value?[] inputs)
    {
        Value? At(int index) => index < inputs.Length ? inputs[index] : null;
        Value query = inputs[0]!;
        Value? bias = At(MultiHeadAttention.Bias);
        long width = query.Shape![2].Length;
        Value q = Split(query, bias, 0, width), k = Split(inputs[1]!, bias, width, 2 * width), v = Split(inputs[2]!, bias, 2 * width, long.MaxValue);
        if (At(MultiHeadAttention.PastKey) is { } pastKey) k = pastKey.Apply("Concat", new Attributes { { "axis", 2 } }, k);
        if (At(MultiHeadAttention.PastValue) is { } pastValue) v = pastValue.Apply("Concat", new Attributes { { "axis", 2 } }, v);
        Value? mask = Mask(op, q, k, At(MultiHeadAttention.Padding), At(MultiHeadAttention.ScoreBias));
        Value result = q.Apply("Attention", new Attributes { { "scale", op.Scale } }, mask is null ? [k, v] : [k, v, mask]);
        return [result.Apply("Transpose", new Attributes { { "perm", SwapHeads } }).Apply("Reshape", Integers(query, 0, 0, -1)), k, v];

        // [N, L, heads * size] with its part of the bias as [N, heads, L, size]; keys and values may be split already.
        Value Split(Value rows, Value? added, long first, long end)
        {
            if (rows.Shape!.Rank == 4) return rows;
            if (added is not null) rows += added.Apply("Slice", Integers(query, first), Integers(query, end));
            return rows.Apply("Reshape", Integers(query, 0, 0, op.HeadCount, -1)).Apply("Transpose", new Attributes { { "perm", SwapHeads } });
        }
    }

    /// <summary>What is added to the scores; null where nothing is.</summary>
    private static Value? Mask(MultiHeadAttention op, Value q, Value k, Value? padding, Value? scores)
    {
        Value? mask = scores;
        void Add(Value more) => mask = mask is null ? more : mask + more;
        Value Length(Value value) => value.Apply("Shape", new Attributes { { "start", 2 }, { "end", 3 } });
        Value Number(long number) => q.Graph.AddConstant("number", Tensor.Scalar(number));
        Value Places(Value count) => Number(0).Apply("Range", count.Apply("Squeeze"), Number(1));
        if (padding is not null)
        {
            Value isKey = padding.Shape is { Rank: 1 }
                ? Places(Length(k)).Apply("Less", padding.Apply("Cast", new Attributes { { "to", (long)ElementType.Int64 } }).Apply("Unsqueeze", Integers(q, 1)))
                : padding.Apply("Cast", new Attributes { { "to", (long)ElementType.Bool } });
            Add(isKey.Apply("Where", q.Scalar(0), q.Scalar(op.Filter)).Apply("Unsqueeze", Integers(q, 1, 2)));
        }
        if (op.IsCausal)
        {
            Value last = Places(Length(q)).Apply("Unsqueeze", Integers(q, 1)) + (Length(k) - Length(q));
            Add(Places(Length(k)).Apply("LessOrEqual", last).Apply("Where", q.Scalar(0), q.Scalar(float.NegativeInfinity)));
        }
        return mask;
    }

    private static Value Integers(Value near, params ReadOnlySpan<long> numbers) => near.Graph.AddConstant("lengths", Tensor.From(numbers));
}
