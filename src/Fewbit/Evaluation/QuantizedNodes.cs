using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Tensors;
using Fewbit.Verification;

namespace Fewbit.Evaluation;

/// <summary>Finds the nodes and values of a float graph in the quantized one, by name.</summary>
internal static class QuantizedNodes
{
    private const string Suffix = "_dequantized";

    /// <summary>Each dequantized value of the quantized graph with the float graph's value that it stands for.</summary>
    public static IReadOnlyDictionary<Value, Value> DequantizedValues(Graph prepared, Graph quantized)
    {
        var pairs = new Dictionary<Value, Value>();
        // 8-bit floats end in a Mul and simulated formats in other nodes: their result has the name that Fewbit gives.
        foreach (Node node in quantized.Nodes.Where(node => (node.Is("DequantizeLinear") && node.Inputs[0]!.Constant is null) || (node.Outputs.Count > 0 && node.Outputs[0].Name.EndsWith(Suffix, StringComparison.Ordinal))))
        {
            if (OriginalOf(prepared, node) is { Constant: null } original) pairs[node.Outputs[0]] = original;
        }
        return pairs;
    }

    /// <summary>The dequantized values; where activations have no codes, what the layers with weights compute in both graphs.</summary>
    public static IReadOnlyDictionary<Value, Value> ComparedValues(Graph prepared, Graph quantized)
    {
        IReadOnlyDictionary<Value, Value> dequantized = DequantizedValues(prepared, quantized);
        if (dequantized.Count > 0) return dequantized;
        var pairs = new Dictionary<Value, Value>();
        foreach (Value value in quantized.Nodes.SelectMany(node => node.Outputs).OfType<Value>().Where(IsReal))
        {
            if (prepared.Find(value.Name) is { Constant: null, Producer.OpType: "Conv" or "ConvTranspose" or "Gemm" or "MatMul" or "LSTM" or "GRU" or "RNN" } original && IsReal(original)) pairs[value] = original;
        }
        return pairs;
    }

    /// <summary>The node that a value of the quantized graph comes from, through its quantizer.</summary>
    public static Node? Source(Value value)
    {
        Node? node = value.Producer;
        while (node is not null && node.OpType is "DequantizeLinear" or "Clip" or "QuantizeLinear") node = node.Inputs[0]?.Producer;
        return node;
    }

    /// <summary>Nodes of the quantized graph that read codes of weights or activations and are in the float graph too.</summary>
    public static IEnumerable<Node> Of(Graph prepared, Graph quantized)
    {
        var names = prepared.Nodes.Select(node => node.Name).ToHashSet(StringComparer.Ordinal);
        return quantized.Nodes.Where(node => names.Contains(node.Name) && QuantizedGraphs.RunsOnCodes(node) && !IsMover(node)
            && node.Inputs.Any(input => QuantizedGraphs.DequantizerOf(input) is not null));
    }

    /// <summary>The float graph with one node quantized as it is in the quantized graph.</summary>
    public static Graph Alone(Graph prepared, Node quantizedNode)
    {
        Graph graph = prepared.Clone();
        Node node = graph.Nodes.First(candidate => candidate.Name == quantizedNode.Name);
        for (int i = 0; i < quantizedNode.Inputs.Count; i++)
        {
            if (quantizedNode.Inputs[i] is not { Producer: not null } input) continue;
            if (Evaluate(input) is { } constant) node.SetInput(i, graph.AddConstant(input.Name, constant));
            else if (QuantizedGraphs.DequantizerOf(input) is { } dequantizer) node.SetInput(i, FakeQuantize(node.Inputs[i]!, dequantizer));
        }
        Value result = quantizedNode.Outputs[0];
        if (QuantizedGraphs.QuantizerOf(result) is { } quantizer && QuantizedGraphs.FinalCodes(quantizer.Outputs[0]).Uses is [{ Node: var output }, ..]
            && output.Is("DequantizeLinear") && OriginalOf(graph, output) is { } value)
        {
            Use[] readers = [.. value.Uses];
            bool isOutput = value.IsOutput;
            Value real = FakeQuantize(value, output);
            foreach (Use use in readers) use.Node.SetInput(use.Index, real);
            if (isOutput) graph.ReplaceOutput(value, real);
        }
        graph.Sort();
        return graph;
    }

    /// <summary>Quantizes and dequantizes a value with the constants of a DequantizeLinear node of another graph.</summary>
    private static Value FakeQuantize(Value value, Node dequantizer)
    {
        Graph graph = value.Graph;
        Value scale = graph.AddConstant(dequantizer.Inputs[1]!.Name, dequantizer.Inputs[1]!.Constant!), zeroPoint = graph.AddConstant(dequantizer.Inputs[2]!.Name, dequantizer.Inputs[2]!.Constant!);
        Value codes = value.Apply("QuantizeLinear", scale, zeroPoint);
        if (dequantizer.Inputs[0]!.Producer is { } clip && clip.Is("Clip"))
        {
            codes = codes.Apply("Clip", graph.AddConstant("low", clip.Inputs[1]!.Constant!), graph.AddConstant("high", clip.Inputs[2]!.Constant!));
        }
        return codes.Apply("DequantizeLinear", scale, zeroPoint);
    }

    /// <summary>The value of nodes that read constants alone; null where it depends on an input.</summary>
    private static Tensor? Evaluate(Value value)
    {
        if (value.Constant is not null) return value.Constant;
        if (value.Producer is not { } producer || producer.Inputs.Any(input => input is not null && Evaluate(input) is null)) return null;
        return new Interpreter().RunNode(producer, Evaluate)[value.Producer.Outputs.ToList().IndexOf(value)];
    }

    /// <summary>The value that a dequantized one stands for: by the name that Fewbit gives, else by what its QuantizeLinear reads.</summary>
    private static Value? OriginalOf(Graph prepared, Node dequantizer)
    {
        string name = dequantizer.Outputs[0].Name;
        if (name.EndsWith(Suffix, StringComparison.Ordinal) && prepared.Find(name[..^Suffix.Length]) is { } named) return named;
        Value? codes = dequantizer.Inputs[0];
        return codes?.Producer is { } quantizer && quantizer.Is("QuantizeLinear") ? prepared.Find(quantizer.Inputs[0]!.Name) : null;
    }

    private static bool IsReal(Value value) => value.Type is ElementType.Float32 or ElementType.Float16;

    private static bool IsMover(Node node) => node.OpType is "Reshape" or "Transpose" or "Flatten" or "Squeeze" or "Unsqueeze" or "Slice" or "Split" or "Gather" or "Expand" or "Tile" or "MaxPool" or "Resize";
}
