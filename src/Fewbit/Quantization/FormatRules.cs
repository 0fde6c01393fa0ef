using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Graphs;

namespace Fewbit.Quantization;

/// <summary>How many bits each weight and each activation gets, and how its range is chosen.</summary>
/// <remarks>
/// The bits asked for go where the papers quantize (<see cref="PaperSites"/>). Whatever else a runtime needs in codes to compute in integers has 8 bits:
/// inputs of the model, layers in front of a sum, pooled and joined values. Overrides of layers go before all of these rules.
/// </remarks>
internal sealed class FormatRules
{
    private readonly QuantizationOptions _options;
    private readonly Dictionary<string, LayerOverride> _overrides;
    private readonly HashSet<Node> _edges = [];
    private readonly HashSet<Value> _sites;
    private readonly HashSet<Value> _edgeValues = [];
    private readonly Dictionary<Value, NumberFormat> _overridden = [];
    private readonly Dictionary<Value, RangeRule> _ranges = [];

    /// <param name="graph">The prepared graph.</param>
    /// <param name="placement">What carries codes.</param>
    /// <param name="options">Their overrides name single nodes (<see cref="LayerOverrides.Expand"/>).</param>
    public FormatRules(Graph graph, Placement placement, QuantizationOptions options)
    {
        _options = options;
        _overrides = options.Overrides.ToDictionary(layer => layer.Layers, StringComparer.Ordinal);
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
        if (_overrides.Count > 0) OverrideValues(graph.Nodes.Where(placement.Selected.Contains), [.. layers]);
    }

    /// <summary>Which weights of a node share a scale.</summary>
    public WeightGranularity GranularityOf(Node node) => OverrideOf(node)?.WeightGranularity ?? _options.WeightGranularity;

    /// <summary>Where the zero points of activations lie.</summary>
    public QuantizationScheme ActivationScheme => _options.Destination.ActivationScheme;

    /// <summary>Codes of a node's weight.</summary>
    public NumberFormat WeightOf(Node node) =>
        OverrideOf(node)?.Weights ?? (_edges.Contains(node) && _options.Weights.BitWidth < _options.Destination.Weights.BitWidth ? _options.Destination.Weights : _options.Weights);

    /// <summary>How the range of a node's weight is chosen.</summary>
    public RangeRule WeightRangeOf(Node node) => WeightRangeOverride(node) ?? _options.EffectiveWeightRange(WeightOf(node));

    /// <summary>What an override says of the range of a node's weight.</summary>
    public RangeRule? WeightRangeOverride(Node node) => OverrideOf(node)?.WeightRange;

    /// <summary>What the options ask for what a node reads; null for float.</summary>
    public NumberFormat? RequestedActivationsOf(Node node) => OverrideOf(node)?.Activations ?? _options.Activations;

    /// <summary>What decides how the file holds a node's weight.</summary>
    public WeightPlace PlaceOf(Node node) => new(_options.Container, node.Is("Conv"), _options.Activations is not null);

    /// <summary>True where the file holds a node's weight, if it has one, as integers that a runtime computes with.</summary>
    public bool HasIntegerWeight(Node node) => OperatorRules.WeightOf(node) is not { Shape: { } shape }
        || WeightForm.Of(WeightOf(node), GranularityOf(node).Of(shape.ToShape(), OperatorRules.ChannelAxis(node)).BlockSize > 0, PlaceOf(node)).IsInteger;

    /// <summary>Codes of a value.</summary>
    public NumberFormat ActivationOf(Value value)
    {
        if (_overridden.TryGetValue(value, out NumberFormat? overridden)) return overridden;
        if (_edgeValues.Contains(value)) return _options.Activations is { BitWidth: >= 8 } asked ? asked : Wide;
        if (_sites.Contains(value)) return _options.Activations ?? Wide;
        return IsMoved(value) ? ActivationOf(value.Producer!.Inputs[0]!) : Wide;
    }

    /// <summary>How calibration chooses the range of a value.</summary>
    public RangeRule ActivationRangeOf(Value value) => _options.Method == RoundingMethod.Nearest && ActivationRangeOverride(value) is { } rule ? rule : _options.EffectiveActivationRange(IsPaperSite(value));

    /// <summary>What an override says of the range of a value.</summary>
    public RangeRule? ActivationRangeOverride(Value value) => _ranges.GetValueOrDefault(value);

    /// <summary>True where the papers quantize a value too.</summary>
    public bool IsPaperSite(Value value) => _sites.Contains(value);

    /// <summary>8 bits of the sign that the activations have: a node on codes has one type for all.</summary>
    private IntegerFormat Wide => _options.Activations is IntegerFormat { IsSigned: true } ? IntegerFormat.Int8 : IntegerFormat.UInt8;

    private LayerOverride? OverrideOf(Node node) => _overrides.GetValueOrDefault(node.Name);

    private void OverrideValues(IEnumerable<Node> selected, HashSet<Node> layers)
    {
        var read = new Dictionary<Value, List<NumberFormat?>>();
        foreach (Node node in selected.Where(node => layers.Contains(node) || _overrides.ContainsKey(node.Name)))
        {
            foreach (Value value in ReadBy(node, layers.Contains(node)))
            {
                if (!read.TryGetValue(value, out List<NumberFormat?>? formats)) read[value] = formats = [];
                formats.Add(OverrideOf(node)?.Activations);
                if (OverrideOf(node)?.ActivationRange is { } rule) _ranges[value] = rule;
            }
        }
        foreach ((Value value, List<NumberFormat?> formats) in read.Where(pair => pair.Value.Any(format => format is not null)).ToArray())
        {
            NumberFormat usual = ActivationOf(value);
            _overridden[value] = formats.Select(format => format ?? usual).MaxBy(format => format.BitWidth)!;
        }
    }

    /// <summary>Whose numbers a node reads: for layers as the papers see it, and inputs of the model.</summary>
    private static IEnumerable<Value> ReadBy(Node node, bool isLayer)
    {
        IEnumerable<Value> direct = OperatorRules.DataInputs(node).Select(Unmoved);
        return isLayer ? PaperSites.ReadBy(node).Union(direct.Where(value => value.Producer is null)) : direct.Distinct();
    }

    private static Value Unmoved(Value value) => IsMoved(value) ? Unmoved(value.Producer!.Inputs[0]!) : value;

    private static bool IsMoved(Value value) => value.Producer is { } producer && OperatorRules.Classify(producer).Role is NodeRole.PassThrough or NodeRole.Pad;

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
