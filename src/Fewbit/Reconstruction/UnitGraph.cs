using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Passes;

namespace Fewbit.Reconstruction;

/// <summary>A unit cut out of its graph: what enters it are inputs, and weights and quantizers can be put in place.</summary>
internal sealed class UnitGraph
{
    private readonly ReconstructionUnit _unit;
    private readonly Dictionary<string, Node> _nodes;
    private readonly Dictionary<Value, Value> _inputs = [];
    private readonly Dictionary<Value, Value> _quantized = [];

    /// <param name="prepared">The graph that the unit is of; it stays as it is.</param>
    /// <param name="unit">The unit.</param>
    /// <param name="shapeOf">Shape of a batch of each value that enters it.</param>
    public UnitGraph(Graph prepared, ReconstructionUnit unit, Func<Value, SymbolicShape> shapeOf)
    {
        _unit = unit;
        Graph = prepared.Clone();
        _nodes = Graph.Nodes.ToDictionary(node => node.Name, StringComparer.Ordinal);
        foreach (Value output in Graph.Outputs.ToArray()) Graph.RemoveOutput(output);
        foreach (Value input in unit.Inputs) _inputs[input] = Cut(input, shapeOf(input));
        foreach (Value input in Graph.Inputs.Where(input => !_inputs.ContainsValue(input)).ToArray()) Graph.RemoveInput(input);
        var needed = Reachability.NodesFor(Graph, [.. unit.Nodes.SelectMany(node => _nodes[node.Name].Outputs)]).ToHashSet();
        Graph.RemoveNodes(Graph.Nodes.Where(node => !needed.Contains(node)).ToHashSet());
    }

    public Graph Graph { get; }

    /// <summary>The graph's input for a value that enters the unit.</summary>
    public Value InputOf(Value original) => _inputs[original];

    /// <summary>A value of the unit before its quantizer.</summary>
    public Value Plain(Value original) => Graph.Find(original.Name)!;

    /// <summary>A value of the unit as others read it: behind its quantizer where it has one.</summary>
    public Value Read(Value original) => _quantized.GetValueOrDefault(original) ?? Plain(original);

    /// <summary>Lets a node read another weight.</summary>
    public void SetWeight(Node original, int input, Value weight) => _nodes[original.Name].SetInput(input, weight);

    /// <summary>Puts a quantizer behind a value.</summary>
    public void Quantize(Value original, Func<Value, Value> quantizer)
    {
        Value plain = Plain(original);
        Use[] readers = [.. plain.Uses];
        Value quantized = _quantized[original] = quantizer(plain);
        foreach (Use use in readers) use.Node.SetInput(use.Index, quantized);
    }

    /// <summary>Ends the changes: declares the outputs, drops what they do not need, infers shapes.</summary>
    /// <param name="outputs">Values of this graph.</param>
    public void Complete(IEnumerable<Value> outputs)
    {
        foreach (Value output in outputs) Graph.AddOutput(output);
        Graph.Sort();
        new RemoveDeadNodes().Run(Graph);
        Inference.Infer(Graph);
    }

    private Value Cut(Value original, SymbolicShape shape)
    {
        Value value = Graph.Find(original.Name)!;
        if (original.Producer is null)
        {
            value.Shape = shape;
            return value;
        }
        Value input = Graph.AddInput(Graph.UniqueName(original.Name + "/cut"), value.Type, shape);
        value.ReplaceAllUsesWith(input);
        return input;
    }

    public override string ToString() => _unit.ToString();
}
