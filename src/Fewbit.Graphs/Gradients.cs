using Fewbit.Graphs.Operators;
using Fewbit.Tensors;

namespace Fewbit.Graphs;

/// <summary>Reverse-mode differentiation from graph to graph.</summary>
public static class Gradients
{
    /// <summary>Appends nodes that compute the gradients of <paramref name="loss"/>.</summary>
    /// <param name="loss">The value to differentiate; where it has several elements, their sum is differentiated unless a seed is given.</param>
    /// <param name="withRespectTo">Any values of the graph.</param>
    /// <param name="seed">Gradient that arrives at the loss, of its shape; null for ones.</param>
    /// <returns>One gradient for each value asked for, of its shape; zeros where the loss does not depend on it.</returns>
    /// <exception cref="InvalidDataException">A node between them has no gradient rule; the message names it.</exception>
    public static Value[] Of(Value loss, IReadOnlyList<Value> withRespectTo, Value? seed = null) =>
        [.. Find(loss.Graph, [(loss, seed ?? loss.Filled(1))], withRespectTo).Zip(withRespectTo, (gradient, value) => gradient ?? value.Filled(0))];

    /// <summary>The gradients of a sum of values, each times a seed of its shape; null where the sum does not depend on a value asked for.</summary>
    /// <param name="graph">The graph that owns all of them.</param>
    /// <param name="seeds">The values and the gradients that arrive at them.</param>
    /// <param name="withRespectTo">Any values of the graph.</param>
    /// <param name="firstNode">Where the nodes between them begin; values computed before it depend on nothing asked for.</param>
    internal static Value?[] Find(Graph graph, IReadOnlyList<(Value Output, Value Seed)> seeds, IReadOnlyList<Value> withRespectTo, int firstNode = 0)
    {
        HashSet<Value> needed = DependentOn(graph.Nodes.Skip(firstNode), withRespectTo);
        var gradients = new Dictionary<Value, Value>();
        foreach ((Value output, Value seed) in seeds) gradients[output] = gradients.TryGetValue(output, out Value? other) ? other + seed : seed;
        foreach (Node node in graph.Nodes.Skip(firstNode).Reverse().ToArray()) Visit(node, graph, gradients, needed);
        return [.. withRespectTo.Select(value => gradients.GetValueOrDefault(value))];
    }

    private static void Visit(Node node, Graph graph, Dictionary<Value, Value> gradients, HashSet<Value> needed)
    {
        if (!node.Outputs.Any(output => needed.Contains(output) && gradients.ContainsKey(output))) return;
        if (node.Operator is not IDifferentiable rule) throw node.Fail("has no gradient rule, but the loss depends on a learned value through it");
        int first = graph.Nodes.Count;
        rule.Gradient(new(node, graph, gradients, needed));
        string forward = node.GradientOf ?? node.ToString();
        for (int i = first; i < graph.Nodes.Count; i++) graph.Nodes[i].GradientOf = forward;
    }

    /// <summary>The values asked for and everything computed from them in floating point.</summary>
    private static HashSet<Value> DependentOn(IEnumerable<Node> nodes, IReadOnlyList<Value> roots)
    {
        var found = new HashSet<Value>(roots);
        foreach (Node node in nodes)
        {
            if (!node.Inputs.Any(input => input is not null && found.Contains(input)) && !node.Subgraphs().Any(body => body.CapturedValues().Any(found.Contains))) continue;
            foreach (Value output in node.Outputs)
            {
                if (output.Type.IsFloat()) found.Add(output);
            }
        }
        return found;
    }
}
