namespace Fewbit.Graphs;

/// <summary>Copies a graph with its subgraphs and remembers which value became which.</summary>
/// <param name="given">Values that stand for others from the start; null for none.</param>
internal sealed class GraphCloner(IReadOnlyDictionary<Value, Value>? given = null)
{
    private readonly Dictionary<Value, Value> _map = given is null ? [] : new(given);

    public Graph Clone(Graph source, Graph? parent)
    {
        var copy = new Graph(source.Name, source.OpsetVersion(""), parent) { Documentation = source.Documentation, Origin = source.Origin, FoldedBytes = source.FoldedBytes };
        if (parent is null)
        {
            foreach ((string domain, int version) in source.Opsets) copy.Opsets[domain] = version;
        }
        foreach ((string key, string value) in source.Metadata) copy.Metadata[key] = value;
        foreach (Value value in source.Values) _map[value] = CopyOf(value, copy);
        foreach (Value input in source.Inputs) copy.DeclareInput(_map[input]);
        foreach (Node node in source.Nodes)
        {
            Node cloned = copy.AppendRaw(node.Domain, node.OpType, node.Name, node.Inputs.Select(Map), node.Outputs.Select(output => _map[output]),
                node.Attributes.Clone(body => Clone(body, copy)));
            cloned.Origin = node.Origin;
        }
        foreach (Value output in source.Outputs) copy.AddOutput(Map(output)!);
        return copy;
    }

    /// <summary>The copy of a value; a value of a graph around the cloned one stays what it is.</summary>
    private Value? Map(Value? value) => value is null ? null : _map.GetValueOrDefault(value, value);

    private static Value CopyOf(Value source, Graph graph)
    {
        Value copy = graph.AddValue(source.Name);
        if (source.Constant is { } constant) copy.SetConstant(constant);
        (copy.Type, copy.Shape, copy.Layout) = (source.Type, source.Shape, source.Layout);
        (copy.IsVariable, copy.FoldedBatchNorm, copy.Origin, copy.GradientOf) = (source.IsVariable, source.FoldedBatchNorm, source.Origin, source.GradientOf);
        return copy;
    }
}

public sealed partial class Graph
{
    /// <summary>Declares an existing value as an input.</summary>
    internal void DeclareInput(Value value) => _inputs.Add(value);
}
