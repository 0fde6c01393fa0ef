using Fewbit.Tensors;

namespace Fewbit.Graphs.Passes;

/// <summary>Lets gradients compute activations of the forward pass again, from a few checkpoints, instead of keeping them: less memory for up to one more forward pass.</summary>
/// <remarks>
/// Run it after <see cref="Gradients"/> and before <see cref="Passes.PrepareForTraining"/>. Kept are checkpoints, values of at most one dimension, random numbers, results of control flow,
/// and everything behind the last checkpoint, which the gradients read at once. Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016, arXiv:1604.06174.
/// </remarks>
/// <param name="loss">What was differentiated: the nodes behind it are the gradients.</param>
public sealed class RecomputeActivations(Value loss) : IPass
{
    private readonly Dictionary<Value, Value> _again = [];
    private readonly HashSet<Value> _kept = [];
    private readonly Dictionary<Node, int> _forward = [];
    private PassReport _report = new("");

    /// <inheritdoc/>
    public string Name => "recompute activations";

    /// <summary>Values to keep; null for about as many as there are nodes between two of them: values through which alone the forward pass goes on.</summary>
    public IReadOnlyList<Value>? Checkpoints { get; init; }

    /// <inheritdoc/>
    public PassReport Run(Graph graph)
    {
        _report = new PassReport(Name);
        int end = loss.Producer is { } producer ? graph.IndexOf(producer) + 1 : 0;
        Node[] nodes = [.. graph.Nodes];
        foreach ((int index, Node node) in nodes.Take(end).Index()) _forward.Add(node, index);
        Value[] checkpoints = [.. Checkpoints ?? Spaced(Cuts(nodes[..end]))];
        int last = checkpoints.Select(value => value.Producer is { } from ? _forward.GetValueOrDefault(from, -1) : -1).DefaultIfEmpty(-1).Max();
        _kept.UnionWith(checkpoints);
        foreach (Node node in nodes[end..])
        {
            // Lengths are known when a plan is made: a Shape keeps nothing alive.
            if (node.Is("Shape") || node.Is("Size")) continue;
            for (int i = 0; i < node.Inputs.Count; i++)
            {
                if (node.Inputs[i] is { } input && IsComputedAgain(input) && _forward[input.Producer!] < last) node.SetInput(i, Again(input, node));
            }
        }
        return _report;
    }

    private bool IsComputedAgain(Value value) => value.Producer is { } node && _forward.ContainsKey(node) && !_kept.Contains(value) && !value.IsOutput
        && value.Shape is not { Rank: <= 1 } && value.Type.IsFloat() && IsRepeatable(node);

    /// <summary>False for nodes that may give another result a second time.</summary>
    private static bool IsRepeatable(Node node) =>
        !node.Subgraphs().Any() && !node.OpType.StartsWith("Random", StringComparison.Ordinal) && node.OpType is not ("Bernoulli" or "Multinomial" or "Dropout");

    /// <summary>The value computed again, in front of the first node that needs it.</summary>
    private Value Again(Value value, Node reader)
    {
        if (_again.TryGetValue(value, out Value? known)) return known;
        (Node node, Graph graph) = (value.Producer!, reader.Graph);
        Value?[] inputs = [.. node.Inputs.Select(input => input is not null && IsComputedAgain(input) ? Again(input, reader) : input)];
        var attributes = new Attributes();
        foreach ((string name, object attribute) in node.Attributes) attributes.Add(name, attribute);
        Node copy = graph.InsertNode(graph.IndexOf(reader), node.Domain, node.OpType, inputs, attributes, node.Outputs.Count, node.Name + "/again");
        _report.Change(node, "is computed again for the gradients");
        for (int i = 0; i < node.Outputs.Count; i++) _again.Add(node.Outputs[i], copy.Outputs[i]);
        return _again[value];
    }

    /// <summary>The values after which nothing else that was computed from the inputs is read any more by the forward pass.</summary>
    private static List<Value> Cuts(Node[] forward)
    {
        var order = forward.Index().ToDictionary(pair => pair.Item, pair => pair.Index);
        var cuts = new List<Value>();
        var ends = new PriorityQueue<Value, int>();
        for (int i = 0; i < forward.Length; i++)
        {
            foreach (Value output in forward[i].Outputs)
            {
                int end = output.Uses.Select(use => order.GetValueOrDefault(use.Node, -1)).DefaultIfEmpty(-1).Max();
                if (end > i && output.Type.IsFloat()) ends.Enqueue(output, end);
            }
            while (ends.TryPeek(out _, out int end) && end <= i) ends.Dequeue();
            if (ends.Count == 1) cuts.Add(ends.Peek());
        }
        return [.. cuts.Distinct()];
    }

    private static IEnumerable<Value> Spaced(List<Value> cuts)
    {
        int step = Math.Max(1, (int)Math.Round(Math.Sqrt(cuts.Count)));
        return cuts.Where((_, i) => (i + 1) % step == 0);
    }
}
