using Fewbit.Graphs;

namespace Fewbit.Reconstruction;

/// <summary>Splits a graph into units by its structure alone: no name and no module is asked.</summary>
internal sealed class UnitFinder
{
    /// <summary>Layers of the largest block; where branches enclose more (dense networks, U-Nets), the blocks inside are taken.</summary>
    public const int MaxLayersOfBlock = 12;

    private static readonly HashSet<string> s_elementFunctions = new(StringComparer.Ordinal)
    {
        "Relu", "LeakyRelu", "PRelu", "Clip", "Sigmoid", "Tanh", "Elu", "Selu", "Celu", "HardSigmoid", "HardSwish", "Softplus", "Softsign", "Mish", "Swish", "Gelu", "ThresholdedRelu",
        "Add", "Sub", "Mul", "Div", "BatchNormalization", "Identity", "Dropout",
    };

    private readonly Graph _graph;
    private readonly HashSet<Node> _layers;
    private readonly Dictionary<Node, int> _group = [];
    private readonly List<BranchRegion> _regions = [];
    private int _groups;

    private UnitFinder(Graph graph, IEnumerable<Node> layers) => (_graph, _layers) = (graph, [.. layers]);

    /// <summary>The units in an order in which they can run; together they hold every node that computes real numbers.</summary>
    /// <param name="graph">A prepared graph.</param>
    /// <param name="layers">The nodes whose weights are quantized.</param>
    /// <param name="granularity">Layers or blocks.</param>
    public static IReadOnlyList<ReconstructionUnit> Find(Graph graph, IEnumerable<Node> layers, UnitGranularity granularity)
    {
        var finder = new UnitFinder(graph, layers);
        finder._regions.AddRange(BranchRegion.Of(graph, new ActivationFlow(graph)));
        if (granularity == UnitGranularity.Blocks)
        {
            finder.TakeBlocks();
            finder.TakeInvertedBottlenecks();
        }
        finder.TakeLayers();
        finder.TakeActivations();
        return finder.Units();
    }

    private bool IsFree(Node node) => !_group.ContainsKey(node);

    private void Take(IEnumerable<Node> nodes)
    {
        foreach (Node node in nodes) _group[node] = _groups;
        _groups++;
    }

    /// <summary>The largest regions that are no larger than a block may be.</summary>
    private void TakeBlocks()
    {
        foreach (BranchRegion region in _regions.Where(region => !region.IsGate).OrderByDescending(region => region.Nodes.Count))
        {
            int layers = region.Nodes.Count(_layers.Contains);
            if (layers is > 0 and <= MaxLayersOfBlock && region.Nodes.All(IsFree)) Take(region.Nodes);
        }
    }

    /// <summary>A depthwise convolution with the pointwise one that widens before it, a gate behind it, and the pointwise one without activation that ends it.</summary>
    private void TakeInvertedBottlenecks()
    {
        foreach (Node depthwise in _graph.Nodes.Where(node => _layers.Contains(node) && IsFree(node) && IsDepthwise(node)))
        {
            var chain = new List<Node> { depthwise };
            if (WalkForward(depthwise, chain) is not { } end || !IsPointwise(end) || FunctionBehind(end) is { OpType: not "Add" }) continue;
            var before = new List<Node>();
            if (WalkBack(depthwise, before) is { } widening && IsPointwise(widening) && widening.Inputs[1]!.Shape![0].Length > widening.Inputs[1]!.Shape![1].Length) chain.AddRange(before);
            Take(chain);
        }
    }

    /// <summary>The next free layer behind activations and gates, all of which are collected, the layer too; null where there is none.</summary>
    private Node? WalkForward(Node layer, List<Node> collected)
    {
        Value value = layer.Outputs[0];
        while (!value.IsOutput)
        {
            if (GateBehind(value) is { } gate && gate.Nodes.All(IsFree))
            {
                collected.AddRange(gate.Nodes);
                value = gate.Join.Outputs[0];
                continue;
            }
            if (value.Uses is not [{ Node: var reader }] || !IsFree(reader)) return null;
            collected.Add(reader);
            if (_layers.Contains(reader)) return reader;
            if (!IsElementFunction(reader)) return null;
            value = reader.Outputs[0];
        }
        return null;
    }

    private Node? WalkBack(Node layer, List<Node> collected)
    {
        Value value = layer.Inputs[0]!;
        while (value.Uses.Count == 1 && !value.IsOutput && value.Producer is { } producer && IsFree(producer))
        {
            collected.Add(producer);
            if (_layers.Contains(producer)) return producer;
            if (!IsElementFunction(producer)) return null;
            value = producer.Inputs[0]!;
        }
        return null;
    }

    private void TakeLayers()
    {
        foreach (Node node in _graph.Nodes.Where(node => _layers.Contains(node) && IsFree(node))) Take([node]);
    }

    /// <summary>Lets each unit end behind the functions that alone read its result.</summary>
    private void TakeActivations()
    {
        var last = new Dictionary<int, Node>();
        foreach (Node node in _graph.Nodes)
        {
            if (_group.TryGetValue(node, out int group)) last[group] = node;
        }
        foreach ((int group, Node node) in last)
        {
            Value value = node.Outputs[0];
            while (!value.IsOutput && TakeFunction(value, group) is { } end) value = end.Outputs[0];
        }
    }

    /// <summary>The node that ends the function or the gate without layers that alone reads a value; null where none does.</summary>
    private Node? TakeFunction(Value value, int group)
    {
        if (GateBehind(value) is { } gate && !gate.Nodes.Any(_layers.Contains) && gate.Nodes.All(IsFree))
        {
            foreach (Node taken in gate.Nodes) _group[taken] = group;
            return gate.Join;
        }
        if (FunctionBehind(value) is not { } function || !IsFree(function)) return null;
        _group[function] = group;
        return function;
    }

    /// <summary>The gate whose branches all leave a value, and which alone read it.</summary>
    private BranchRegion? GateBehind(Value value) =>
        _regions.Where(region => region.IsGate && value.Uses.Count > 0 && value.Uses.All(use => region.Nodes.Contains(use.Node)) && ActivationFlow.Reads(region.Join).Contains(value))
            .MaxBy(region => region.Nodes.Count);

    private static Node? FunctionBehind(Node node) => FunctionBehind(node.Outputs[0]);

    private static Node? FunctionBehind(Value value) => !value.IsOutput && value.Uses is [{ Node: var reader }] && IsElementFunction(reader) ? reader : null;

    /// <summary>One real operand, the others constant, and a result of its shape.</summary>
    private static bool IsElementFunction(Node node) =>
        node.Domain.Length == 0 && s_elementFunctions.Contains(node.OpType) && node.Outputs.Count == 1 && node.Inputs.Count(input => input is { Constant: null }) == 1;

    private static bool IsDepthwise(Node node) => node.Is("Conv") && node.Inputs[1]!.Shape is { Rank: > 2 } weight && node.Int("group", 1) > 1 && weight[1].Length == 1;

    private static bool IsPointwise(Node node) => node.Is("Conv") && node.Inputs[1]!.Shape is { Rank: > 2 } weight && node.Int("group", 1) == 1 && weight.Skip(2).All(dim => dim.Length == 1);

    /// <summary>Groups in an order in which they run; nodes of no group that follow each other make up units without layers.</summary>
    private List<ReconstructionUnit> Units()
    {
        foreach (Node node in _graph.Nodes.Where(node => ActivationFlow.IsReal(node) && IsFree(node))) Take([node]);
        var members = _graph.Nodes.Where(_group.ContainsKey).GroupBy(node => _group[node]).ToDictionary(group => group.Key, group => group.ToList());
        var units = new List<List<Node>>();
        foreach (int group in Ordered(members))
        {
            bool isGlue = !members[group].Any(_layers.Contains);
            if (isGlue && units.Count > 0 && !units[^1].Any(_layers.Contains)) units[^1].AddRange(members[group]);
            else units.Add(members[group]);
        }
        return [.. units.Select(Describe)];
    }

    private List<int> Ordered(Dictionary<int, List<Node>> members)
    {
        var waitsFor = members.ToDictionary(pair => pair.Key, pair => pair.Value.SelectMany(ActivationFlow.Reads)
            .Select(value => value.Producer).OfType<Node>().Select(node => _group[node]).Where(group => group != pair.Key).ToHashSet());
        var ready = new PriorityQueue<int, int>();
        var position = _graph.Nodes.Index().ToDictionary(pair => pair.Item, pair => pair.Index);
        foreach ((int group, HashSet<int> sources) in waitsFor)
        {
            if (sources.Count == 0) ready.Enqueue(group, position[members[group][0]]);
        }
        var readers = waitsFor.SelectMany(pair => pair.Value.Select(source => (source, pair.Key))).ToLookup(pair => pair.source, pair => pair.Key);
        var ordered = new List<int>();
        while (ready.TryDequeue(out int group, out _))
        {
            ordered.Add(group);
            foreach (int reader in readers[group])
            {
                if (waitsFor[reader].Remove(group) && waitsFor[reader].Count == 0) ready.Enqueue(reader, position[members[reader][0]]);
            }
        }
        return ordered.Count == members.Count ? ordered : throw new InvalidOperationException("Bug in the unit finder: units wait for each other");
    }

    private ReconstructionUnit Describe(List<Node> nodes)
    {
        var inside = nodes.ToHashSet();
        Value[] inputs = [.. nodes.SelectMany(ActivationFlow.Reads).Distinct().Where(value => value.Producer is null || !inside.Contains(value.Producer))];
        Value[] outputs = [.. nodes.SelectMany(node => node.Outputs).Where(value => ActivationFlow.IsReal(value) && (value.IsOutput || value.Uses.Any(use => !inside.Contains(use.Node))))];
        Node[] layers = [.. nodes.Where(_layers.Contains)];
        return new(layers.LastOrDefault()?.Name ?? nodes[^1].Name, nodes, inputs, outputs, layers);
    }
}
