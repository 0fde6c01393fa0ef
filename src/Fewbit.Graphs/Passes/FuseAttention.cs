using Fewbit.Tensors;

namespace Fewbit.Graphs.Passes;

/// <summary>softmax(Q K' * scale + mask) V that is written out in nodes becomes Attention; where heads were split from and joined to rows by Reshape and Transpose, these go too.</summary>
/// <remarks>For running only: a file keeps the nodes that its opset has.</remarks>
public sealed class FuseAttention : IPass
{
    private static readonly long[] SwapHeads = [0, 2, 1, 3], SwapLast = [0, 1, 3, 2], KeysOfRows = [0, 2, 3, 1];

    /// <inheritdoc/>
    public string Name => "fuse attention";

    /// <inheritdoc/>
    public PassReport Run(Graph graph)
    {
        var report = new PassReport(Name);
        foreach (Node node in graph.Nodes.Where(node => node.Is("MatMul") && node.Outputs[0].Type == ElementType.Float32).ToArray())
        {
            if (Match(node) is { } found) Replace(found, report);
        }
        return report;
    }

    /// <param name="Last">The product with the values.</param>
    /// <param name="Query">[N, heads, L, size].</param>
    /// <param name="Keys">What is transposed to [N, heads, size, L].</param>
    /// <param name="KeysAreRows">Keys are [N, L, heads, size]; otherwise [N, heads, L, size].</param>
    /// <param name="Value">[N, heads, L, size].</param>
    /// <param name="Mask">Added to the scores.</param>
    /// <param name="Scale">Factor of the scores.</param>
    private sealed record Group(Node Last, Value Query, Value Keys, bool KeysAreRows, Value Value, Value? Mask, float Scale);

    private static Group? Match(Node last)
    {
        if (last.Inputs[0].OnlyFrom("Softmax") is not { } softmax || last.Inputs[1] is not { Shape.Rank: 4 } value || softmax.Int("axis", -1) is not (-1 or 3)) return null;
        Value scores = softmax.Inputs[0]!;
        if (scores.Uses.Count != 1 || scores.IsOutput || scores.Shape is not { Rank: 4 } shape) return null;
        if (scores.Producer is { } add && add.Is("Add"))
        {
            foreach (int side in (int[])[0, 1])
            {
                if (IsMask(add.Inputs[1 - side]!, shape) && Scores(last, add.Inputs[side]!, value, add.Inputs[1 - side]) is { } masked) return masked;
            }
            return null;
        }
        return Scores(last, scores, value, null);
    }

    private static Group? Scores(Node last, Value scores, Value value, Value? mask)
    {
        float scale = 1;
        Value inner = Unscaled(scores, ref scale);
        if (inner.OnlyFrom("MatMul") is not { } product) return null;
        Value query = Unscaled(product.Inputs[0]!, ref scale), turned = Unscaled(product.Inputs[1]!, ref scale);
        if (turned.From("Transpose") is not { } transpose || transpose.Ints("perm") is not { } order) return null;
        bool areRows = order.AsSpan().SequenceEqual(KeysOfRows);
        if (!areRows && !order.AsSpan().SequenceEqual(SwapLast)) return null;
        Value keys = Unscaled(transpose.Inputs[0]!, ref scale);
        // A product broadcasts its first dimensions; here each head has keys and values of its own.
        if (query.Shape is not { Rank: 4 } q || turned.Shape is not { Rank: 4 } k || value.Shape is not { Rank: 4 } v || !IsSame(q, k, 0) || !IsSame(q, k, 1) || !IsSame(q, v, 0) || !IsSame(q, v, 1)) return null;
        return scale == 0 ? null : new(last, query, keys, areRows, value, mask, scale);
    }

    /// <summary>What is left of a value without the constant factors before it, which nothing else may read.</summary>
    private static Value Unscaled(Value value, ref float scale)
    {
        while (value.Uses.Count == 1 && !value.IsOutput && value.Scaled() is ({ } inner, float factor))
        {
            scale *= factor;
            value = inner;
        }
        return value;
    }

    private static bool IsMask(Value mask, SymbolicShape scores) => mask.Type == ElementType.Float32 && mask.Shape is { Rank: >= 2 and <= 4 } shape
        && Enumerable.Range(1, shape.Rank).All(i => shape.Dims[^i] == 1 || (shape.Dims[^i] == scores.Dims[^i] && shape.Dims[^i] != Dim.Unknown));

    private static bool IsSame(SymbolicShape a, SymbolicShape b, int axis) => a[axis] == b[axis] && a[axis] != Dim.Unknown;

    private static void Replace(Group group, PassReport report)
    {
        report.Change(group.Last, "becomes Attention with the nodes before it");
        Graph graph = group.Last.Graph;
        bool isCausal = HidesLater(group.Mask);
        if (isCausal) group = group with { Mask = null };
        if (Rows(group.Query) is { } query && Rows(group.Keys, group.KeysAreRows) is { } keys && Rows(group.Value) is { } value && JoinedRows(group.Last) is { } join)
        {
            long heads = group.Query.Shape![1].Length;
            var attributes = new Attributes { { "q_num_heads", heads }, { "kv_num_heads", heads }, { "scale", group.Scale }, { "is_causal", isCausal } };
            Patterns.ReplaceLast(join, "", "Attention", Inputs(query, keys, value, group.Mask), attributes);
            return;
        }
        Value split = group.KeysAreRows
            ? graph.InsertNode(graph.IndexOf(group.Last), "", "Transpose", [group.Keys], new() { { "perm", SwapHeads } }, name: group.Last.Name + "/keys").Outputs[0] : group.Keys;
        Patterns.ReplaceLast(group.Last, "", "Attention", Inputs(group.Query, split, group.Value, group.Mask), new() { { "scale", group.Scale }, { "is_causal", isCausal } });
    }

    /// <summary>A constant mask that adds 0 up to the diagonal and behind it a number that leaves nothing after the exponential: kernels need not look there.</summary>
    private static bool HidesLater(Value? mask)
    {
        const float Nothing = -1e4f;
        if (mask is null || mask.IsVariable || mask.Constant is not { Type: ElementType.Float32, Rank: >= 2 } tensor || tensor.ElementCount != tensor.Shape.Dims[^1] * tensor.Shape.Dims[^2]) return false;
        ReadOnlySpan<float> numbers = tensor.Span<float>();
        int keys = (int)tensor.Shape.Dims[^1];
        for (int i = 0; i < numbers.Length; i++)
        {
            bool isLater = i % keys > i / keys;
            if (isLater ? !(numbers[i] <= Nothing) : numbers[i] != 0) return false;
        }
        return tensor.Shape.Dims[^2] > 1;
    }

    private static Value?[] Inputs(Value query, Value keys, Value value, Value? mask) => mask is null ? [query, keys, value] : [query, keys, value, mask];

    /// <summary>[N, L, heads * size], where the value is its heads as [N, heads, L, size], or as [N, L, heads, size].</summary>
    private static Value? Rows(Value heads, bool areRows = false)
    {
        Value? split = areRows ? heads : heads.From("Transpose") is { } transpose && transpose.Ints("perm").AsSpan().SequenceEqual(SwapHeads) ? transpose.Inputs[0] : null;
        return split.From("Reshape")?.Inputs[0] is { Shape: { Rank: 3 } rows } source && IsSplit(rows, split!.Shape!) ? source : null;
    }

    /// <summary>The Reshape to [N, L, heads * size] behind the last product.</summary>
    private static Node? JoinedRows(Node last) => last.OnlyReader() is { } transpose && transpose.Is("Transpose") && transpose.Ints("perm").AsSpan().SequenceEqual(SwapHeads)
        && transpose.OnlyReader() is { } reshape && reshape.Is("Reshape") && reshape.Outputs[0].Shape is { Rank: 3 } rows && IsSplit(rows, transpose.Outputs[0].Shape!) ? reshape : null;

    private static bool IsSplit(SymbolicShape rows, SymbolicShape heads) =>
        heads.Rank == 4 && heads[2].IsKnown && heads[3].IsKnown && IsSame(rows, heads, 0) && IsSame(rows, heads, 1) && rows[2] == heads[2].Length * heads[3].Length;
}
