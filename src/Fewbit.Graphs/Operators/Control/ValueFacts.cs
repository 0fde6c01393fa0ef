using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Control;

/// <summary>What inference knows of a value that enters or leaves a body.</summary>
/// <param name="Type">Element type; Undefined while unknown.</param>
/// <param name="Shape">Shape; null while the rank is unknown.</param>
internal readonly record struct ValueFacts(ElementType Type, SymbolicShape? Shape)
{
    /// <summary>What holds of both values.</summary>
    public ValueFacts Join(ValueFacts other) => new(Type == other.Type ? Type : ElementType.Undefined, Join(Shape, other.Shape));

    private static SymbolicShape? Join(SymbolicShape? a, SymbolicShape? b)
    {
        if (a is null || b is null || a.Rank != b.Rank) return null;
        return new([.. a.Zip(b, (x, y) => x == y ? x : Dim.Unknown)]);
    }
}

/// <summary>Inference of bodies that run again on what they returned.</summary>
internal static class BodyInference
{
    /// <summary>Infers a body until what is stated of its states holds before and after each iteration.</summary>
    /// <param name="context">The node.</param>
    /// <param name="body">Its body.</param>
    /// <param name="before">Inputs of the body before the states.</param>
    /// <param name="states">The states before the first iteration; what holds of them before any iteration when this returns.</param>
    /// <param name="behind">Inputs of the body behind the states.</param>
    /// <param name="firstState">Number of the first state among the body's outputs.</param>
    /// <returns>The outputs of the body; null where the engine at hand does not infer bodies.</returns>
    public static ValueFacts[]? InferIterated(this InferenceContext context, Graph body, ReadOnlySpan<ValueFacts> before, ValueFacts[] states, ReadOnlySpan<ValueFacts> behind, int firstState)
    {
        // Each round but the last forgets the length of a dimension or a rank, so the rounds are few.
        while (true)
        {
            if (context.InferBody(body, [.. before, .. states, .. behind]) is not { } outputs) return null;
            bool isStable = true;
            for (int i = 0; i < states.Length; i++)
            {
                ValueFacts returned = outputs[firstState + i];
                bool isOneType = returned.Type == states[i].Type || returned.Type == ElementType.Undefined || states[i].Type == ElementType.Undefined;
                context.Node.Expect(isOneType, $"state {i} is {states[i].Type.Name()}, but its body returns {returned.Type.Name()}");
                ValueFacts joined = new(states[i].Type, states[i].Join(returned).Shape);
                isStable &= joined == states[i];
                states[i] = joined;
            }
            if (isStable) return outputs;
        }
    }

    /// <summary>The shape with one more dimension.</summary>
    public static SymbolicShape Insert(this SymbolicShape shape, int axis, Dim length) =>
        new([.. shape.Dims[..axis], length, .. shape.Dims[axis..]]);
}
