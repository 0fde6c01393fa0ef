using Fewbit.Graphs;
using Fewbit.Graphs.Operators;
using Fewbit.Onnx.Protos;
using Fewbit.Onnx.Upgrade;
using Fewbit.Tensors;

namespace Fewbit.Onnx.Reading;

/// <summary>Fills a graph from its message. Names are resolved in this graph first, then in those around it.</summary>
internal sealed class GraphReader(TensorReader tensors, Graph graph, GraphReader? outer = null)
{
    private readonly Dictionary<string, Value> _values = new(StringComparer.Ordinal);

    /// <summary>The opset that a node is written for, where it is not the model's.</summary>
    public required IReadOnlyDictionary<NodeProto, int> Opsets { get; init; }

    /// <summary>Is told which node is written for another opset.</summary>
    public required OpsetUpgrade Upgrade { get; init; }

    /// <summary>Fills the graph, and leaves in the message what the graph does not hold.</summary>
    public void Read(GraphProto proto)
    {
        ReadInitializers(proto);
        ReadInputs(proto);
        foreach (NodeProto node in proto.Node) DeclareOutputs(node);
        // Only now, when every name of the file is known, can names be made up beside them.
        foreach (NodeProto node in proto.Node) NameUnnamedOutputs(node);
        foreach (ValueInfoProto info in proto.ValueInfo)
        {
            if (_values.TryGetValue(info.Name, out Value? value)) Describe(value, info, "value");
        }
        foreach (NodeProto node in proto.Node) ReadNode(node);
        foreach (ValueInfoProto output in proto.Output) ReadOutput(output);
        graph.Sort();
        KeepRest(proto);
    }

    private void ReadInitializers(GraphProto proto)
    {
        if (proto.SparseInitializer.Count > 0) throw new InvalidDataException($"initializer '{proto.SparseInitializer[0].Values?.Name}' is a sparse tensor, expected a dense one");
        foreach (TensorProto initializer in proto.Initializer)
        {
            if (initializer.Name.Length == 0) throw new InvalidDataException($"an initializer of graph '{graph.Name}' has no name");
            Value value = Declare(initializer.Name, "an initializer");
            value.SetConstant(tensors.Read(initializer, $"initializer '{initializer.Name}'"));
            initializer.ClearName();
            if (initializer.CalculateSize() > 0) value.Origin = new ValueOrigin { Tensor = initializer };
        }
    }

    private void ReadInputs(GraphProto proto)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (ValueInfoProto info in proto.Input)
        {
            if (!seen.Add(info.Name)) throw new InvalidDataException($"'{info.Name}' is an input twice");
            if (_values.TryGetValue(info.Name, out Value? constant))
            {
                constant.Origin = new ValueOrigin { Info = info, IsDefaultOfInput = true, Tensor = (constant.Origin as ValueOrigin)?.Tensor };
                continue;
            }
            Value value = Declare(info.Name, "an input");
            Describe(value, info, "input");
            if (value.Type == ElementType.Undefined && outer is null) throw new InvalidDataException($"input '{info.Name}' states no element type");
            graph.DeclareInput(value);
        }
    }

    private void DeclareOutputs(NodeProto node)
    {
        foreach (string output in node.Output)
        {
            if (output.Length > 0) Declare(output, $"an output of {Named(node)}");
        }
    }

    /// <summary>An output without a name counts by its place; here every value has a name.</summary>
    private void NameUnnamedOutputs(NodeProto node)
    {
        for (int i = 0; i < node.Output.Count; i++)
        {
            if (node.Output[i].Length > 0) continue;
            string name = graph.UniqueName($"{(node.Name.Length > 0 ? node.Name : node.OpType)}/unused{i}");
            Declare(name, "").Origin = new ValueOrigin { IsUnnamed = true };
            node.Output[i] = name;
        }
    }

    private void ReadNode(NodeProto node)
    {
        string domain = ModelReader.DomainName(node.Domain), what = Named(node);
        CheckText(node.Name, "node");
        if (node.OpType.Length == 0) throw new InvalidDataException($"node '{node.Name}' states no operator");
        if (domain == OperatorTable.FewbitDomain) throw new InvalidDataException($"{what}: domain '{domain}' is Fewbit's own, and no file may hold its operators");
        if (node.Output.Count == 0) throw new InvalidDataException($"{what}: has no output");
        Value?[] inputs = [.. node.Input.Select(name => name.Length == 0 ? null : Find(name)
            ?? throw new InvalidDataException($"{what}: reads '{name}', which is no input, initializer or output of a node"))];
        var reader = new AttributeReader(tensors, what, ReadSubgraph);
        Attributes attributes = reader.Read(node.Attribute);
        if (domain.Length == 0 && node.OpType == "Constant" && ConstantNode.Tensor(attributes, what) is { } constant)
        {
            if (node.Output.Count != 1) throw new InvalidDataException($"{what}: has {node.Output.Count} outputs, expected 1");
            _values[node.Output[0]].SetConstant(constant);
            return;
        }
        string name = node.Name.Length > 0 ? node.Name : node.OpType;
        int? opset = Opsets.TryGetValue(node, out int version) ? version : null;
        Node added = graph.AppendRaw(domain, node.OpType, name, inputs, node.Output.Select(output => _values[output]), attributes);
        if (opset is not null) Upgrade.State(added, opset.Value);
        added.Origin = Rest(node);
    }

    private Graph ReadSubgraph(GraphProto proto)
    {
        var body = new Graph(proto.Name, parent: graph);
        new GraphReader(tensors, body, this) { Opsets = Opsets, Upgrade = Upgrade }.Read(proto);
        body.Documentation = proto.DocString;
        proto.ClearDocString();
        body.Origin = new GraphOrigin(proto, null);
        return body;
    }

    private void ReadOutput(ValueInfoProto info)
    {
        Value value = Find(info.Name) ?? throw new InvalidDataException($"output '{info.Name}' of graph '{graph.Name}' is no input, initializer or output of a node");
        if (value.Constant is null && value.Graph == graph && !graph.Inputs.Contains(value)) Describe(value, info, "output");
        graph.AddOutput(value);
    }

    private static void Describe(Value value, ValueInfoProto info, string what)
    {
        value.Origin = new ValueOrigin { Info = info, IsDefaultOfInput = (value.Origin as ValueOrigin)?.IsDefaultOfInput ?? false };
        if (value.Constant is not null || info.Type is null) return;
        (ElementType type, SymbolicShape? shape) = ValueType.Read(info.Type, $"{what} '{info.Name}'");
        (value.Type, value.Shape) = (type, shape);
    }

    private Value Declare(string name, string what)
    {
        if (name.Length == 0) throw new InvalidDataException($"{what} of graph '{graph.Name}' has no name");
        CheckText(name, "value");
        if (_values.ContainsKey(name)) throw new InvalidDataException($"'{name}' is {what}, but the graph has a value of that name already");
        // A body may hide a name of the graphs around it; here names are unique among them all.
        Value value = graph.AddValue(graph.UniqueName(name));
        _values.Add(name, value);
        return value;
    }

    /// <summary>The protobuf reader puts U+FFFD in the place of bytes that are not UTF-8, so that two names could become one.</summary>
    private static void CheckText(string name, string what)
    {
        if (name.Contains('\uFFFD', StringComparison.Ordinal)) throw new InvalidDataException($"the name of {what} '{name}' is not valid UTF-8");
    }

    private Value? Find(string name) => _values.GetValueOrDefault(name) ?? outer?.Find(name);

    private static string Named(NodeProto node) =>
        $"{node.OpType} '{(node.Name.Length > 0 ? node.Name : node.Output.FirstOrDefault(output => output.Length > 0) ?? "")}'";

    private static NodeProto? Rest(NodeProto node)
    {
        node.Input.Clear();
        node.Output.Clear();
        node.Attribute.Clear();
        node.ClearName();
        node.ClearOpType();
        node.ClearDomain();
        return node.CalculateSize() > 0 ? node : null;
    }

    private static void KeepRest(GraphProto proto)
    {
        proto.Node.Clear();
        proto.Initializer.Clear();
        proto.Input.Clear();
        proto.Output.Clear();
        proto.ValueInfo.Clear();
        proto.ClearName();
    }
}
