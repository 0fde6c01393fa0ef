using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX TensorScatter, opset 24: a cache with new items written along its sequence axis, for each batch item from its own place on.</summary>
/// <param name="Axis">The sequence; dimension 0 is the batch.</param>
/// <param name="IsCircular">Whether writing goes on at the start when it reaches the end.</param>
internal sealed record TensorScatter(long Axis, bool IsCircular) : IDifferentiable
{
    private const int Update = 1, Places = 2;

    public static TensorScatter Parse(Node node)
    {
        string mode = node.String("mode", "linear");
        node.Expect(mode is "linear" or "circular", $"mode is '{mode}', expected linear or circular");
        return new(node.Int("axis", -2), mode == "circular");
    }

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(2, 3);
        ElementType type = context.ExpectOneType(0, Update);
        if (context.InputShape(0) is { } cache && context.InputShape(Update) is { } update)
        {
            node.Expect(cache.Rank >= 2 && update.Rank == cache.Rank, $"cache has shape {cache} and update {update}, expected equal ranks of 2 or more");
            int axis = node.Axis(Axis, cache.Rank);
            node.Expect(axis > 0, $"axis is the batch dimension, expected a later one");
            for (int d = 0; d < cache.Rank; d++)
            {
                bool fits = d == axis ? !cache[d].IsKnown || !update[d].IsKnown || update[d].Length <= cache[d].Length : cache[d].MayEqual(update[d]);
                node.Expect(fits, $"update has shape {update}, which does not fit into the cache {cache} along axis {axis}");
            }
            node.ExpectVector(context, Places, cache[0], "write_indices");
        }
        context.SetOutput(0, type, context.InputShape(0));
    }

    public void Gradient(GradientContext context) => CompositeGradient.Apply(context, inputs =>
    {
        (Value cache, Value update, Graph graph) = (inputs[0]!, inputs[Update]!, context.Graph);
        int rank = cache.Shape?.Rank ?? throw context.Node.Fail("has a cache of unknown rank, which its gradient rule needs"), axis = context.Node.Axis(Axis, rank);
        Value Integers(params ReadOnlySpan<long> numbers) => graph.AddConstant("lengths", Tensor.From(numbers));
        Value Length(Value value) => value.Apply("Shape", new Attributes { { "start", (long)axis }, { "end", axis + 1L } });
        Value places = graph.AddConstant("zero", Tensor.Scalar(0L)).Apply("Range", Length(update).Apply("Squeeze"), graph.AddConstant("one", Tensor.Scalar(1L)));
        if (axis < rank - 1) places = places.Apply("Unsqueeze", Integers([.. Enumerable.Range(1, rank - 1 - axis).Select(i => (long)i)]));
        if (inputs.Length > Places && inputs[Places] is { } starts)
            places = starts.Apply("Cast", new Attributes { { "to", (long)ElementType.Int64 } }).Apply("Unsqueeze", Integers([.. Enumerable.Range(1, rank - 1).Select(i => (long)i)])) + places;
        if (IsCircular) places = places.Apply("Mod", Length(cache));
        return [cache.Apply("ScatterElements", new Attributes { { "axis", (long)axis } }, places.Apply("Expand", update.Apply("Shape")), update)];
    });

    public unsafe void Evaluate(EvaluationContext context)
    {
        if (Converted.Unpacked(context, this)) return;
        (Tensor cache, Tensor update, Tensor output) = (context.Input(0), context.Input(Update), context.Output(0));
        if (!cache.IsAt(output)) cache.CopyTo(output);
        long[]? places = context.FindInput(Places) is { } given ? context.Node.ReadInts(given) : null;
        int axis = context.Node.Axis(Axis, cache.Rank);
        long length = cache.Shape[axis], count = update.Shape[axis], itemBytes = cache.Shape.CountOf(axis + 1, cache.Rank) * (cache.Type.BitWidth() / 8), share = cache.Shape.CountOf(1, axis);
        for (long outer = 0; outer < cache.Shape.CountOf(0, axis); outer++)
        {
            long start = places?[outer / share] ?? 0;
            context.Node.Expect(start >= 0 && (IsCircular || start + count <= length), $"writes {count} items from place {start} of a cache of {length}");
            for (long i = 0; i < count; i++)
            {
                long at = IsCircular ? (start + i) % length : start + i;
                Buffer.MemoryCopy(update.Address + (outer * count + i) * itemBytes, output.Address + (outer * length + at) * itemBytes, itemBytes, itemBytes);
            }
        }
        GC.KeepAlive(context);
    }
}
