using Fewbit.Formats;
using Fewbit.Graphs;

namespace Fewbit.Quantization;

/// <summary>How many bits each weight and each activation gets.</summary>
internal sealed class FormatRules
{
    private readonly QuantizationOptions _options;
    private readonly HashSet<Node> _edges = [];
    private readonly HashSet<Value> _edgeValues = [];

    public FormatRules(Graph graph, Placement placement, QuantizationOptions options)
    {
        _options = options;
        foreach (Value input in graph.Inputs) _edgeValues.Add(input);
        if (!options.KeepEdgesAt8Bits) return;
        HashSet<Node> behind = Reach(graph, placement, forward: true), before = Reach(graph, placement, forward: false);
        foreach (Node node in graph.Nodes.Where(node => placement.Selected.Contains(node) && placement.RoleOf(node) == NodeRole.Compute))
        {
            bool isFirst = !behind.Contains(node), isLast = !before.Contains(node);
            if (isFirst || isLast) _edges.Add(node);
            if (isLast) _edgeValues.UnionWith(OperatorRules.DataInputs(node));
        }
    }

    /// <summary>Codes of a node's weight.</summary>
    public IntegerFormat WeightOf(Node node) =>
        _edges.Contains(node) && _options.Weights.BitWidth < 8 ? IntegerFormat.Int8 : _options.Weights;

    /// <summary>Codes of a value. Inputs of the model are 8-bit numbers to begin with.</summary>
    public IntegerFormat ActivationOf(Value value) => _edgeValues.Contains(value) ? IntegerFormat.UInt8 : _options.Activations;

    /// <summary>Nodes that lie behind (or before) some integer compute node.</summary>
    private static HashSet<Node> Reach(Graph graph, Placement placement, bool forward)
    {
        var reached = new HashSet<Node>();
        foreach (Node node in forward ? graph.Nodes : graph.Nodes.Reverse())
        {
            IEnumerable<Node> neighbours = forward ? node.Inputs.Select(input => input?.Producer).OfType<Node>()
                : node.Outputs.SelectMany(output => output.Uses).Select(use => use.Node);
            if (neighbours.Any(next => reached.Contains(next) || (placement.Selected.Contains(next) && placement.RoleOf(next) == NodeRole.Compute))) reached.Add(node);
        }
        return reached;
    }
}
