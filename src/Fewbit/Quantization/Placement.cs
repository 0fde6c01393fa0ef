using Fewbit.Graphs;
using Fewbit.Targets;

namespace Fewbit.Quantization;

/// <summary>Decides which nodes run in integers and which values carry codes, as ONNX Runtime's CPU optimizer fuses them.</summary>
/// <remarks>
/// Compute nodes are taken wherever they can be. Other nodes are taken only between them: where a code reaches the node and an integer layer needs
/// its result. Elsewhere quantizing would add error and no speed (box decoding, the sum behind the last convolution).
/// </remarks>
internal sealed class Placement
{
    private readonly Graph _graph;
    private readonly Func<Node, string?> _refusal;
    private readonly bool _quantizeOutputs;
    private readonly Dictionary<Node, string> _reasons = [];
    private readonly Dictionary<Node, NodeRole> _roles = [];
    private readonly HashSet<Node> _selected = [];
    private readonly HashSet<Value> _quantized = [];
    private readonly Dictionary<Node, Node> _mergedInto = []; // Relu or Clip -> the node whose result it clips

    /// <param name="graph">The prepared float graph.</param>
    /// <param name="refusal">Why a node must stay float beyond the rules (excluded, values out of range); null where it need not.</param>
    /// <param name="options">Which placement, and whether outputs of the graph may carry codes.</param>
    public Placement(Graph graph, Func<Node, string?> refusal, QuantizationOptions options)
    {
        (_graph, _refusal, _quantizeOutputs) = (graph, refusal, options.QuantizeOutputs);
        bool isForLayers = options.Destination.Placement == TargetPlacement.WeightedInputs;
        IsForIntegers = options is { Placement: QuantizerPlacement.Deploy, RunsInIntegers: true } && !isForLayers;
        foreach (Node node in graph.Nodes) Classify(node);
        if (!IsForIntegers)
        {
            PlaceAtLayers(options.Activations is not null, isForLayers);
            return;
        }
        FindMergers();
        foreach (Node node in graph.Nodes)
        {
            if (IsCandidate(node) && (_roles[node] == NodeRole.Compute || IsFed(node))) _selected.Add(node);
        }
        DropUseless();
        DropMergersOfFloatNodes();
        FindQuantizedValues();
    }

    /// <summary>True where a runtime is to compute in integers. False: weights, and what layers read, are merely held in few bits.</summary>
    public bool IsForIntegers { get; }

    /// <summary>Nodes that run in integers, or whose operands are held in few bits.</summary>
    public IReadOnlySet<Node> Selected => _selected;

    /// <summary>Each Relu or Clip that disappears, and the node whose quantizer takes its place.</summary>
    public IReadOnlyDictionary<Node, Node> MergedInto => _mergedInto;

    /// <summary>Values that carry codes, in the order of the graph: each gets a quantizer. Constants among them are stored as codes.</summary>
    public IReadOnlyList<Value> Quantized { get; private set; } = [];

    /// <summary>True where a value carries codes.</summary>
    public bool IsQuantized(Value value) => _quantized.Contains(value);

    public NodeRole RoleOf(Node node) => _roles[node];

    /// <summary>Why a node stays float; empty for others.</summary>
    public string ReasonOf(Node node) => _reasons.GetValueOrDefault(node, "");

    /// <summary>The value that holds a node's result after a merged Relu or Clip.</summary>
    public Value ResultOf(Node node, int output = 0)
    {
        Value value = node.Outputs[output];
        return value.Uses is [{ Node: var reader }] && _mergedInto.ContainsKey(reader) ? reader.Outputs[0] : value;
    }

    /// <summary>The node that computes a value, through a merged Relu or Clip; null for inputs and constants.</summary>
    public Node? SourceOf(Value value) => value.Producer is { } producer && _mergedInto.TryGetValue(producer, out Node? source) ? source : value.Producer;

    /// <summary>True where a value gets a quantizer of its own right at an integer node's output, so that every reader takes the dequantized value.</summary>
    public bool IsIntegerResult(Value value) => IsForIntegers ? SourceOf(value) is { } source && _selected.Contains(source) : _quantized.Contains(value) && value.Producer is not null;

    private void PlaceAtLayers(bool hasActivations, bool isForLayers)
    {
        foreach (Node node in _graph.Nodes)
        {
            bool isTaken = _roles[node] == NodeRole.Compute && (hasActivations || OperatorRules.WeightOf(node) is not null);
            if (isTaken) _selected.Add(node);
            else _reasons.TryAdd(node, _roles[node] == NodeRole.Compute ? "it has no weight" : "the placement quantizes what layers with weights read");
        }
        if (!hasActivations) return;
        _quantized.UnionWith(isForLayers ? WeightedInputs.Find(_graph, _selected) : PaperSites.Find(_selected));
        Quantized = [.. _graph.Inputs.Concat(_graph.Nodes.SelectMany(node => node.Outputs)).Where(_quantized.Contains)];
    }

    private void Classify(Node node)
    {
        (NodeRole role, string reason) = OperatorRules.Classify(node);
        if (role is not (NodeRole.Float or NodeRole.NotNumeric) && _refusal(node) is { } refusal) (role, reason) = (NodeRole.Float, refusal);
        // Gemm and MatMul may write float sums, but not both sums and codes.
        if (IsForIntegers && role == NodeRole.Compute && MustKeepFloatOutput(node) && (node.OpType == "Conv" || node.Outputs[0].Uses.Count > 0))
            (role, reason) = (NodeRole.Float, "its result is an output of the model, which stays float (quantize the outputs to change that)");
        _roles[node] = role;
        if (reason.Length > 0) _reasons[node] = reason;
    }

    private bool MustKeepFloatOutput(Node node) => !_quantizeOutputs && node.Outputs.Any(output => output.IsOutput);

    private void FindMergers()
    {
        foreach (Node node in _graph.Nodes)
        {
            if (_roles[node] != NodeRole.Activation) continue;
            Value input = node.Inputs[0]!;
            bool canMerge = input.Producer is { } producer && _roles[producer] is NodeRole.Compute or NodeRole.Elementwise && input.Uses.Count == 1 && !input.IsOutput;
            bool staysOutput = node.Outputs[0].IsOutput && !_quantizeOutputs;
            if (canMerge && !staysOutput) _mergedInto[node] = input.Producer!;
        }
    }

    /// <summary>A node that is no compute node, but may be taken between them.</summary>
    private bool IsCandidate(Node node) => _roles[node] switch
    {
        NodeRole.Compute => true,
        NodeRole.Elementwise or NodeRole.PassThrough or NodeRole.Pad => !MustKeepFloatOutput(node) && !(ClipBehind(node) is { } clip && MustKeepFloatOutput(clip)),
        _ => false,
    };

    private Node? ClipBehind(Node node) => node.Outputs[0].Uses is [{ Node: var reader }] && _mergedInto.ContainsKey(reader) ? reader : null;

    /// <summary>True where a code reaches the node: an integer node computes one of its inputs, or the input of the model is merely moved.</summary>
    private bool IsFed(Node node) => OperatorRules.DataInputs(node).Any(input =>
        IsIntegerResult(input) || (_graph.Inputs.Contains(input) && _roles[node] is NodeRole.PassThrough or NodeRole.Pad));

    private void DropUseless()
    {
        for (int i = _graph.Nodes.Count - 1; i >= 0; i--)
        {
            Node node = _graph.Nodes[i];
            if (!_selected.Contains(node) || _roles[node] == NodeRole.Compute) continue;
            bool isUseful = Enumerable.Range(0, node.Outputs.Count).Any(o => ResultOf(node, o).Uses.Any(use => ReadsCodes(use)) || (_quantizeOutputs && ResultOf(node, o).IsOutput));
            if (!isUseful) _selected.Remove(node);
        }
        foreach (Node node in _graph.Nodes)
        {
            if (_selected.Contains(node) || _reasons.ContainsKey(node) || _roles[node] is NodeRole.NotNumeric or NodeRole.Activation) continue;
            _reasons[node] = MustKeepFloatOutput(node) ? "its result is an output of the model, which stays float"
                : IsFed(node) ? "no integer layer reads its result" : "no integer layer computes its input";
        }
    }

    private void DropMergersOfFloatNodes()
    {
        foreach ((Node clip, Node source) in _mergedInto.ToArray())
        {
            // A float sum that nothing reads as codes has no quantizer that could clip it.
            bool hasQuantizer = _selected.Contains(source) && !MayStayFloat(source, clip.Outputs[0]);
            if (!hasQuantizer) _mergedInto.Remove(clip);
        }
        foreach (Node node in _graph.Nodes)
        {
            if (_roles[node] == NodeRole.Activation && !_mergedInto.ContainsKey(node)) _reasons[node] = "it does not follow alone on an integer layer";
        }
    }

    /// <summary>True where the reader takes codes from this input.</summary>
    public bool ReadsCodes(Use use) => _selected.Contains(use.Node) && OperatorRules.DataPositions(use.Node).Contains(use.Index);

    /// <summary>Gemm and MatMul may hand over float sums; every other integer kernel writes codes.</summary>
    private bool MayStayFloat(Node node, Value result) =>
        node.OpType is "Gemm" or "MatMul" && !result.Uses.Any(ReadsCodes) && !(_quantizeOutputs && result.IsOutput);

    private void FindQuantizedValues()
    {
        var ordered = new List<Value>();
        void Add(Value value)
        {
            if (_quantized.Add(value)) ordered.Add(value);
        }

        foreach (Node node in _graph.Nodes)
        {
            if (!_selected.Contains(node)) continue;
            foreach (Value input in OperatorRules.DataInputs(node)) Add(input);
            for (int o = 0; o < node.Outputs.Count; o++)
            {
                Value result = ResultOf(node, o);
                bool isRead = result.Uses.Count > 0 || result.IsOutput;
                if (!MayStayFloat(node, result) && (isRead || o == 0)) Add(result);
            }
        }
        Quantized = ordered;
    }
}
