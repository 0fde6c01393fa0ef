using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>What the kernel of attention takes for granted of its inputs, since it reads them by address.</summary>
internal static class AttentionChecks
{
    public static void Run(CompilationContext context, AttentionShape shape)
    {
        (long n, long q, long k, long total) = (shape.Batch, shape.Queries, shape.KeyHeads, shape.Total);
        context.Node.Expect(shape.HeadSize > 0 && shape.ValueSize >= 0 && k > 0 && shape.Heads > 0, $"has {shape.Heads} query heads and {k} key heads of size {shape.HeadSize}, expected 1 or more of each");
        ExpectShape(context, 0, "query", shape.IsSplit ? [n, shape.Heads, q, shape.HeadSize] : [n, q, (long)shape.Heads * shape.HeadSize]);
        ExpectShape(context, 1, "key", shape.IsSplit ? [n, k, shape.Keys, shape.HeadSize] : [n, shape.Keys, k * shape.HeadSize]);
        ExpectShape(context, 2, "value", shape.IsSplit ? [n, k, shape.Keys, shape.ValueSize] : [n, shape.Keys, k * shape.ValueSize]);
        context.Node.Expect(context.HasInput(Attention.PastKey) == context.HasInput(Attention.PastValue), $"is given one of past_key and past_value, expected both or none");
        if (context.HasInput(Attention.PastKey)) ExpectShape(context, Attention.PastKey, "past_key", [n, k, shape.Past, shape.HeadSize]);
        if (context.HasInput(Attention.PastValue)) ExpectShape(context, Attention.PastValue, "past_value", [n, k, shape.Past, shape.ValueSize]);
        for (int i = 1; i <= Attention.PastValue; i++)
        {
            if (!context.HasInput(i) || (i == Attention.Mask && context.InputType(i) == ElementType.Bool)) continue;
            context.Node.Expect(context.InputType(i) == context.InputType(0), $"input {i} is {context.InputType(i).Name()}, expected {context.InputType(0).Name()} as the query");
        }
        if (context.HasInput(Attention.Mask)) ExpectMask(context, [n, shape.Heads, q], total);
        if (!context.HasInput(Attention.KeyLengths)) return;
        context.Node.Expect(context.InputType(Attention.KeyLengths) == ElementType.Int64, $"nonpad_kv_seqlen is {context.InputType(Attention.KeyLengths).Name()}, expected int64");
        ExpectShape(context, Attention.KeyLengths, "nonpad_kv_seqlen", [n]);
    }

    /// <summary>A mask broadcasts to [N, heads, queries]; its last dimension may be shorter than the keys, which are hidden from there on.</summary>
    private static void ExpectMask(CompilationContext context, long[] expected, long total)
    {
        Shape mask = context.InputShape(Attention.Mask);
        bool fits = mask.Rank is >= 2 and <= 4;
        for (int i = 2; fits && i <= mask.Rank; i++) fits = mask[mask.Rank - i] == 1 || mask[mask.Rank - i] == expected[4 - i];
        context.Node.Expect(fits && mask.Dims[^1] > 0, $"mask has shape {mask}, which does not broadcast to [{string.Join(", ", expected)}, {total}]");
    }

    private static void ExpectShape(CompilationContext context, int index, string name, Shape expected) =>
        context.Node.Expect(context.InputShape(index) == expected, $"{name} has shape {context.InputShape(index)}, expected {expected}");
}
