using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>LinearAttention step by step in simpler operators.</summary>
internal static class LinearAttentionSpelling
{
    /// <summary>Outputs: y and the last state.</summary>
    public static IReadOnlyList<Value?> SpellOut(LinearAttention op, Node node, Value?[] inputs)
    {
        Value? At(int index) => index < inputs.Length ? inputs[index] : null;
        (Value q, Value k, Value v, Graph graph) = (inputs[0]!, inputs[LinearAttention.Key]!, inputs[LinearAttention.ValueInput]!, inputs[0]!.Graph);
        if (q.Shape is not { Rank: 3 } shape || !shape[1].IsKnown || !shape[2].IsKnown || v.Shape is not { Rank: 3 } values || !values[2].IsKnown || At(LinearAttention.State) is { } given && given.Type != q.Type)
            throw node.Fail("has a gradient rule only where the number of steps and all sizes are known and the state has the type of the query");
        (long steps, long size, long width, long share) = (shape[1].Length, shape[2].Length / op.QueryHeads, values[2].Length / op.KeyHeads, op.QueryHeads / op.KeyHeads);
        Value Split(Value rows, params long[] lengths) => rows.Apply("Reshape", Integers(graph, [0, steps, .. lengths]));
        Value Item(Value rows, long step) => rows.Apply("Gather", new Attributes { { "axis", 1 } }, graph.AddConstant("t", Tensor.Scalar(step)));
        (q, k, v) = (Split(q, op.KeyHeads, share, size), Split(k, op.KeyHeads, 1, size), Split(v, op.KeyHeads, 1, width));
        Value? erase = At(LinearAttention.Erase) is { } erasing ? Split(erasing, op.KeyHeads, 1, size) : null;
        // A gate has one number a head or one for all of its elements.
        Value? fade = At(LinearAttention.Decay) is { } decay ? Split(decay, op.KeyHeads, -1, 1).Apply("Exp") : null, beta = At(LinearAttention.Beta) is { } strength ? Split(strength, -1, 1, 1) : null;
        Value state = At(LinearAttention.State) ?? Zeros(q, op.KeyHeads, size, width);
        double scale = op.Scale == 0 ? 1 / Math.Sqrt(size) : op.Scale;
        var rows = new Value[steps];
        for (long t = 0; t < steps; t++)
        {
            (Value key, Value write) = (Item(k, t), Item(v, t));
            if (fade is not null) state *= Item(fade, t);
            if (beta is not null) write = Item(beta, t) * (write - (erase is null ? key : key * Item(erase, t)).MatMul(state));
            state += key.Apply("Transpose", new Attributes { { "perm", new long[] { 0, 1, 3, 2 } } }).MatMul(write);
            rows[t] = (Item(q, t).MatMul(state) * q.Scalar(scale)).Apply("Reshape", Integers(graph, 0, 1, -1));
        }
        return [rows[0].Apply("Concat", new Attributes { { "axis", 1 } }, rows.AsSpan(1)), state];
    }

    /// <summary>A state [N, heads, size, width] of zeros.</summary>
    private static Value Zeros(Value q, long heads, long size, long width)
    {
        Value shape = q.Apply("Shape", new Attributes { { "start", 0 }, { "end", 1 } }).Apply("Concat", new Attributes { { "axis", 0 } }, Integers(q.Graph, heads, size, width));
        return shape.Apply("ConstantOfShape", new Attributes { { "value", q.Type == ElementType.Float64 ? Tensor.From(0.0) : Tensor.From(0f) } });
    }

    private static Value Integers(Graph graph, params ReadOnlySpan<long> numbers) => graph.AddConstant("lengths", Tensor.From(numbers));
}
