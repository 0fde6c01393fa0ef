using Fewbit.Formats;
using Fewbit.Graphs;

namespace Fewbit.Quantization;

/// <summary>How many bits each weight and each activation gets.</summary>
/// <remarks>
/// The bits asked for go where the papers quantize (<see cref="PaperSites"/>). Whatever else a runtime needs in codes to compute in integers has 8 bits:
/// inputs of the model, layers in front of a sum, pooled and joined values.
/// </remarks>
internal sealed class FormatRules
{
    private readonly QuantizationOptions _options;
    private readonly HashSet<Node> _edges = [];
    private readonly HashSet<Value> _sites;
    private readonly HashSet<Value> _edgeValues = [];

    public FormatRules(Graph graph, Placement placement, QuantizationOptions options)
    {
        _options = options;
        Node[] layers = [.. graph.Nodes.Where(node => placement.Selected.Contains(node) && placement.RoleOf(node) == NodeRole.Compute)];
        _sites = PaperSites.Find(layers);
        HashSet<Node> behind = Reach(graph, layers, forward: true), before = Reach(graph, layers, forward: false);
        foreach (Node layer in layers)
        {
            bool isFirst = !behind.Contains(layer), isLast = !before.Contains(layer);
            if ((isFirst || isLast) && options.KeepEdgesAt8Bits) _edges.Add(layer);
            if (isLast && options.KeepLastInputAt8Bits != false) _edgeValues.UnionWith(PaperSites.ReadBy(layer));
            if (isFirst && options.KeepFirstOutputAt8Bits == true) _edgeValues.UnionWith(PaperSites.WrittenBy(layer, _sites));
        }
    }

    /// <summary>Which weights share a scale.</summary>
    public WeightGranularity Granularity => _options.WeightGranularity;

    /// <summary>Codes of a node's weight.</summary>
    public NumberFormat WeightOf(Node node) =>
        _edges.Contains(node) && _options.Weights.BitWidth < 8 ? IntegerFormat.Int8 : _options.Weights;

    /// <summary>Codes of a value.</summary>
    public NumberFormat ActivationOf(Value value)
    {
        if (_edgeValues.Contains(value)) return IntegerFormat.UInt8;
        if (_sites.Contains(value)) return _options.Activations ?? IntegerFormat.UInt8;
        bool isMoved = value.Producer is { } producer && OperatorRules.Classify(producer).Role is NodeRole.PassThrough or NodeRole.Pad;
        return isMoved ? ActivationOf(value.Producer!.Inputs[0]!) : IntegerFormat.UInt8;
    }

    /// <summary>True where the papers quantize a value too.</summary>
    public bool IsPaperSite(Value value) => _sites.Contains(value);

    /// <summary>Nodes that lie behind (or before) some integer layer.</summary>
    private static HashSet<Node> Reach(Graph graph, IReadOnlyCollection<Node> layers, bool forward)
    {
        var (isLayer, reached) = (layers.ToHashSet(), new HashSet<Node>());
        foreach (Node node in forward ? graph.Nodes : graph.Nodes.Reverse())
        {
            IEnumerable<Node> neighbours = forward ? node.Inputs.Select(input => input?.Producer).OfType<Node>()
                : node.Outputs.SelectMany(output => output.Uses).Select(use => use.Node);
            if (neighbours.Any(next => reached.Contains(next) || isLayer.Contains(next))) reached.Add(node);
        }
        return reached;
    }
}
