using Fewbit.Onnx.Protos;
using Google.Protobuf.Collections;

namespace Fewbit.Onnx.Reading;

/// <summary>One call of a function: its body with the caller's values and attributes put in.</summary>
internal sealed class FunctionCall
{
    private readonly FunctionProto _function;
    private readonly NodeProto _call;
    private readonly string _prefix;
    private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);
    private readonly Dictionary<string, AttributeProto> _attributes = new(StringComparer.Ordinal);
    private readonly List<(string From, string To)> _copies = [];

    public FunctionCall(FunctionProto function, NodeProto call, Func<string, string> uniqueName)
    {
        (_function, _call) = (function, call);
        _prefix = call.Name.Length > 0 ? call.Name : call.OpType;
        for (int i = 0; i < function.Input.Count; i++) _values[function.Input[i]] = i < call.Input.Count ? call.Input[i] : "";
        foreach (AttributeProto attribute in function.AttributeProto.Concat(call.Attribute)) _attributes[attribute.Name] = attribute;
        for (int i = 0; i < call.Output.Count; i++) NameOutput(function.Output[i], call.Output[i]);
        foreach (string output in function.Node.SelectMany(node => node.Output))
        {
            if (output.Length > 0 && !_values.ContainsKey(output)) _values[output] = uniqueName($"{_prefix}/{output}");
        }
    }

    public RepeatedField<NodeProto> Instantiate()
    {
        var body = new RepeatedField<NodeProto>();
        foreach (NodeProto template in _function.Node)
        {
            NodeProto node = template.Clone();
            node.Name = $"{_prefix}/{(node.Name.Length > 0 ? node.Name : node.OpType)}";
            Bind(node, _values);
            body.Add(node);
        }
        foreach ((string from, string to) in _copies) body.Add(new NodeProto { OpType = "Identity", Name = $"{_prefix}/{to}", Input = { _values[from] }, Output = { to } });
        return body;
    }

    /// <summary>A function may return an input, or one value twice: such an output is a copy.</summary>
    private void NameOutput(string formal, string actual)
    {
        if (actual.Length == 0) return;
        if (!_values.TryAdd(formal, actual)) _copies.Add((formal, actual));
    }

    private void Bind(NodeProto node, Dictionary<string, string> values)
    {
        Rename(node.Input, values);
        Rename(node.Output, values);
        for (int i = node.Attribute.Count - 1; i >= 0; i--)
        {
            AttributeProto attribute = node.Attribute[i];
            if (attribute.RefAttrName.Length == 0) continue;
            if (!_attributes.TryGetValue(attribute.RefAttrName, out AttributeProto? given))
            {
                node.Attribute.RemoveAt(i);
                continue;
            }
            node.Attribute[i] = given.Clone();
            node.Attribute[i].Name = attribute.Name;
        }
        foreach (AttributeProto attribute in node.Attribute)
        {
            // Graphs that the caller gave read the caller's values, not the function's.
            if (_attributes.Values.Any(given => given.G is not null && given.G.Equals(attribute.G))) continue;
            if (attribute.G is not null) Bind(attribute.G, values);
            foreach (GraphProto body in attribute.Graphs) Bind(body, values);
        }
    }

    private void Bind(GraphProto graph, Dictionary<string, string> values)
    {
        var visible = new Dictionary<string, string>(values, StringComparer.Ordinal);
        foreach (string local in graph.Input.Select(input => input.Name).Concat(graph.Initializer.Select(tensor => tensor.Name)).Concat(graph.Node.SelectMany(node => node.Output)))
        {
            visible.Remove(local);
        }
        foreach (NodeProto node in graph.Node) Bind(node, visible);
        foreach (ValueInfoProto output in graph.Output) output.Name = visible.GetValueOrDefault(output.Name, output.Name);
    }

    private static void Rename(RepeatedField<string> names, Dictionary<string, string> values)
    {
        for (int i = 0; i < names.Count; i++) names[i] = values.GetValueOrDefault(names[i], names[i]);
    }
}
