namespace Fewbit.Graphs.Operators;

/// <summary>Appends nodes that compute an operator's outputs from its inputs (null where one is left out) by simpler operators.</summary>
internal delegate IReadOnlyList<Value?> Spelling(Value?[] inputs);

/// <summary>Rules of operators that can be spelled out in simpler ones: the gradient is that of the spelling.</summary>
internal static class CompositeGradient
{
    /// <summary>Sets the gradient of each input that needs one, from the rules of the operators that it is spelled out in.</summary>
    public static void Apply(GradientContext context, Spelling spelling)
    {
        Value?[] inputs = [.. context.Node.Inputs];
        Value?[] gradients = new Value?[context.Node.Outputs.Count];
        for (int i = 0; i < gradients.Length; i++) gradients[i] = context.OutputGradient(i);
        // A value that is read at two places gets its whole gradient at the first.
        int[] wanted = [.. Enumerable.Range(0, inputs.Length).Where(i => context.Needs(i) && Array.IndexOf(inputs, inputs[i]) == i)];
        Value?[] results = Find(context.Graph, inputs, gradients, wanted, spelling);
        foreach ((int index, Value? gradient) in wanted.Zip(results))
        {
            if (gradient is not null) context.SetInputGradient(index, gradient);
        }
    }

    /// <summary>The gradients of some inputs of a spelling: what spells out an operator that computes gradients.</summary>
    /// <param name="graph">The graph of the inputs.</param>
    /// <param name="inputs">Inputs of the spelling.</param>
    /// <param name="outputGradients">What arrives at each output; null where nothing does.</param>
    /// <param name="wanted">Numbers of the inputs whose gradients are returned.</param>
    /// <param name="spelling">The function.</param>
    public static Value[] Of(Graph graph, Value?[] inputs, IReadOnlyList<Value?> outputGradients, int[] wanted, Spelling spelling) =>
        [.. Find(graph, inputs, outputGradients, wanted, spelling).Zip(wanted, (gradient, index) => gradient ?? inputs[index]!.Filled(0))];

    /// <summary>As <see cref="Of"/>; null where no output depends on an input.</summary>
    private static Value?[] Find(Graph graph, Value?[] inputs, IReadOnlyList<Value?> outputGradients, int[] wanted, Spelling spelling)
    {
        int start = graph.Nodes.Count;
        IReadOnlyList<Value?> outputs = spelling(inputs);
        var seeds = new List<(Value, Value)>();
        for (int i = 0; i < Math.Min(outputs.Count, outputGradients.Count); i++)
        {
            if (outputs[i] is { } output && outputGradients[i] is { } gradient) seeds.Add((output, gradient));
        }
        return Gradients.Find(graph, seeds, [.. wanted.Select(index => inputs[index]!)], start);
    }
}
