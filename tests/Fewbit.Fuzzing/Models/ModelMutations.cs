using Fewbit.Onnx.Protos;
using Fewbit.Tensors;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Kind = Fewbit.Onnx.Protos.AttributeProto.Types.AttributeType;

namespace Fewbit.Fuzzing.Models;

/// <summary>Changes that know what a model is: many give models that read well and go wrong later.</summary>
internal sealed class ModelMutations(ModelCorpus corpus, Random random)
{
    private static readonly ElementType[] Types = Enum.GetValues<ElementType>();

    /// <summary>One to four changes.</summary>
    public void Apply(ModelProto model, ModelProto other)
    {
        for (int changes = 1 + Math.Min(random.Next(4), random.Next(3)); changes > 0; changes--) Once(model, other);
    }

    private void Once(ModelProto model, ModelProto other)
    {
        GraphProto? graph = AnyGraph(model);
        NodeProto? node = graph is null ? null : Any(graph.Node);
        TensorProto? tensor = graph is null ? null : Any(graph.Initializer);
        ValueInfoProto? input = graph is null ? null : Any(graph.Input);
        switch (random.Next(36))
        {
            case >= 34 when node is not null: ChangeAttribute(node, other); break;
            case < 3: FieldMutations.Apply(model, random, other); break;
            case < 7 when tensor is not null: ReplaceTensor(tensor); break;
            case < 11 when input is not null: ChangeShape(input); break;
            case < 12 when tensor is not null: ChangeElements(tensor); break;
            case < 13 when tensor is not null: ChangeLength(tensor); break;
            case < 14 when input is not null: ChangeType(input); break;
            case < 17 when node is not null: SwapOperator(node); break;
            case < 20 when node is not null: ChangeAttribute(node, other); break;
            case < 22 when node is not null && graph is not null: ChangeInputs(node, graph); break;
            case < 23 when node is not null: ChangeOutputs(node, graph!); break;
            case < 24: ChangeOpset(model); break;
            case < 26 when graph is not null: Append(graph, other); break;
            case < 27 when graph is not null: Structures.Nest(graph, random); break;
            case < 28: Structures.Recurse(model, random); break;
            case < 29 when tensor is not null: Structures.MakeExternal(tensor, random); break;
            case < 30 when tensor is not null && graph is not null: InitializerToInput(graph, tensor); break;
            case < 31 when input is not null && graph is not null: InputToInitializer(graph, input); break;
            case < 32 when graph is not null: Structures.Chain(graph, random); break;
            case < 33 when graph is not null: Structures.Repeat(graph, random); break;
            default: FieldMutations.Apply(model, random, other); break;
        }
    }

    private GraphProto? AnyGraph(ModelProto model)
    {
        if (model.Graph is null || random.Next(3) > 0) return model.Graph;
        GraphProto[] graphs = [.. FieldMutations.Messages(model).OfType<GraphProto>()];
        return graphs[random.Next(graphs.Length)];
    }

    private T? Any<T>(RepeatedField<T> items) where T : class => items.Count == 0 ? null : items[random.Next(items.Count)];

    private ElementType AnyType() => random.Next(3) == 0 ? ElementType.Float32 : Types[random.Next(1, Types.Length)];

    /// <summary>Another tensor of the same name that is well-formed.</summary>
    private void ReplaceTensor(TensorProto tensor)
    {
        long[] dims = [.. tensor.Dims];
        switch (random.Next(4))
        {
            case 0: dims = [.. Enumerable.Range(0, random.Next(6)).Select(_ => Math.Clamp(Interesting.Length(random), 0, 40))]; break;
            case 1 when dims.Length > 0: dims[random.Next(dims.Length)] = Math.Clamp(Interesting.Length(random), 0, 64); break;
            case 2 when dims.Length > 1: dims = dims[1..]; break;
        }
        var type = (ElementType)tensor.DataType;
        if (random.Next(3) == 0 || !Enum.IsDefined(type) || type is ElementType.Undefined or ElementType.String) type = AnyType();
        if (type is ElementType.Undefined or ElementType.String) type = ElementType.Int64;
        if (dims.Any(dim => dim is < 0 or > 4096) || dims.Aggregate(1.0, (product, dim) => product * dim) > 1 << 14) dims = [4];
        bool isIndex = type is ElementType.Int64 or ElementType.Int32;
        double[] values = [.. Enumerable.Range(0, 1 + random.Next(4)).Select(_ => isIndex ? Interesting.Length(random) : type.IsFloat() ? Interesting.Real(random) : random.Next(-8, 256))];
        TensorProto made = ModelParts.Tensor(tensor.Name, type, dims, random.Next(3) == 0 ? null : values);
        (tensor.DataType, tensor.RawData) = (made.DataType, made.RawData);
        tensor.Dims.Clear();
        tensor.Dims.AddRange(dims);
        ClearFields(tensor);
    }

    private static void ClearFields(TensorProto tensor)
    {
        tensor.FloatData.Clear();
        tensor.Int32Data.Clear();
        tensor.Int64Data.Clear();
        tensor.DoubleData.Clear();
        tensor.Uint64Data.Clear();
        tensor.ExternalData.Clear();
        tensor.ClearDataLocation();
    }

    /// <summary>Other numbers in the same shape: repeats, lengths and axes become huge.</summary>
    private void ChangeElements(TensorProto tensor)
    {
        var type = (ElementType)tensor.DataType;
        if (tensor.RawData.Length == 0 || !Enum.IsDefined(type)) return;
        byte[] bytes = tensor.RawData.ToByteArray();
        int width = Math.Max(1, type.BitWidth() / 8), at = random.Next(Math.Max(1, bytes.Length / width)) * width;
        if (at + width > bytes.Length) return;
        byte[] value = type == ElementType.Float32 ? BitConverter.GetBytes(Interesting.Real(random)) : type == ElementType.Float64 ? BitConverter.GetBytes((double)Interesting.Real(random))
            : BitConverter.GetBytes(Interesting.Integer(random));
        value.AsSpan(0, Math.Min(width, value.Length)).CopyTo(bytes.AsSpan(at));
        tensor.RawData = ByteString.CopyFrom(bytes);
    }

    private void ChangeLength(TensorProto tensor)
    {
        if (random.Next(2) == 0 && tensor.Dims.Count > 0) tensor.Dims[random.Next(tensor.Dims.Count)] = Interesting.Integer(random);
        else if (tensor.RawData.Length > 0) tensor.RawData = ByteString.CopyFrom(tensor.RawData.Span[..random.Next(tensor.RawData.Length)]);
        else tensor.Dims.Add(Interesting.Integer(random));
    }

    private void ChangeShape(ValueInfoProto input)
    {
        if (input.Type?.TensorType is not { } type) return;
        if (type.Shape is null || random.Next(8) == 0)
        {
            type.Shape = random.Next(2) == 0 ? null : new();
            return;
        }
        RepeatedField<TensorShapeProto.Types.Dimension> dims = type.Shape.Dim;
        int at = dims.Count == 0 ? 0 : random.Next(dims.Count);
        switch (random.Next(6))
        {
            case 0: dims.Insert(at, new TensorShapeProto.Types.Dimension { DimValue = Interesting.Length(random) }); break;
            case 1 when dims.Count > 0: dims.RemoveAt(at); break;
            case 2 when dims.Count > 0: dims[at].DimParam = random.Next(2) == 0 ? "N" : "M"; break;
            default:
                if (dims.Count > 0) dims[at].DimValue = Interesting.Length(random);
                break;
        }
    }

    private void ChangeType(ValueInfoProto input)
    {
        if (input.Type?.TensorType is { } type) type.ElemType = (int)AnyType();
    }

    private void SwapOperator(NodeProto node) => (node.Domain, node.OpType) = corpus.Operators[random.Next(corpus.Operators.Count)];

    private void ChangeAttribute(NodeProto node, ModelProto other)
    {
        if (node.Attribute.Count == 0 || random.Next(4) == 0)
        {
            NodeProto? from = other.Graph is null ? null : Any(other.Graph.Node);
            if (from?.Attribute.Count > 0) node.Attribute.Add(from.Attribute[random.Next(from.Attribute.Count)].Clone());
            return;
        }
        AttributeProto attribute = node.Attribute[random.Next(node.Attribute.Count)];
        switch (random.Next(8))
        {
            case 0: node.Attribute.Remove(attribute); break;
            case 1: attribute.Type = (Kind)random.Next(16); break;
            default: ChangeValue(attribute); break;
        }
    }

    private void ChangeValue(AttributeProto attribute)
    {
        switch (attribute.Type)
        {
            case Kind.Int: attribute.I = Interesting.Integer(random); break;
            case Kind.Float: attribute.F = Interesting.Real(random); break;
            case Kind.String: attribute.S = ByteString.CopyFromUtf8(Interesting.Text(random)); break;
            case Kind.Ints when random.Next(4) == 0: attribute.Ints.Add(Interesting.Integer(random)); break;
            case Kind.Ints when attribute.Ints.Count > 0 && random.Next(4) == 0: attribute.Ints.RemoveAt(random.Next(attribute.Ints.Count)); break;
            case Kind.Ints when attribute.Ints.Count > 0: attribute.Ints[random.Next(attribute.Ints.Count)] = Interesting.Integer(random); break;
            case Kind.Floats when attribute.Floats.Count > 0: attribute.Floats[random.Next(attribute.Floats.Count)] = Interesting.Real(random); break;
            case Kind.Tensor when attribute.T is not null: ReplaceTensor(attribute.T); break;
            default: attribute.Type = (Kind)random.Next(12); break;
        }
    }

    private void ChangeInputs(NodeProto node, GraphProto graph)
    {
        string[] names = [.. graph.Input.Select(input => input.Name), .. graph.Initializer.Select(tensor => tensor.Name), .. graph.Node.SelectMany(other => other.Output)];
        string name = random.Next(8) == 0 || names.Length == 0 ? "" : names[random.Next(names.Length)];
        int at = node.Input.Count == 0 ? 0 : random.Next(node.Input.Count);
        switch (random.Next(5))
        {
            case 0 when node.Input.Count > 0: node.Input.RemoveAt(at); break;
            case 1 when node.Input.Count > 1: (node.Input[at], node.Input[0]) = (node.Input[0], node.Input[at]); break;
            case 2: node.Input.Add(name); break;
            default:
                if (node.Input.Count > 0) node.Input[at] = name;
                break;
        }
    }

    private void ChangeOutputs(NodeProto node, GraphProto graph)
    {
        switch (random.Next(4))
        {
            case 0 when node.Output.Count > 0: node.Output.RemoveAt(random.Next(node.Output.Count)); break;
            case 1 when node.Output.Count > 0: node.Output[random.Next(node.Output.Count)] = ""; break;
            default:
                node.Output.Add($"more{node.Output.Count}");
                graph.Output.Add(new ValueInfoProto { Name = node.Output[^1] });
                break;
        }
    }

    private void ChangeOpset(ModelProto model)
    {
        if (model.OpsetImport.Count == 0) model.OpsetImport.Add(new OperatorSetIdProto());
        OperatorSetIdProto import = model.OpsetImport[random.Next(model.OpsetImport.Count)];
        import.Version = random.Next(6) == 0 ? Interesting.Integer(random) : random.Next(6, 28);
    }

    /// <summary>Nodes of another model behind this one, the first of them reading what this one computes.</summary>
    private void Append(GraphProto graph, ModelProto other)
    {
        if (other.Graph is null || graph.Node.Count == 0 || graph.Node.Count + other.Graph.Node.Count > 60) return;
        NodeProto last = graph.Node[random.Next(graph.Node.Count)];
        string prefix = $"b{graph.Node.Count}/";
        GraphProto more = other.Graph.Clone();
        string? joined = more.Input.Count > 0 && last.Output.Count > 0 ? more.Input[0].Name : null;
        string Renamed(string name) => name.Length == 0 ? "" : name == joined ? last.Output[0] : prefix + name;
        foreach (NodeProto node in more.Node)
        {
            for (int i = 0; i < node.Input.Count; i++) node.Input[i] = Renamed(node.Input[i]);
            for (int i = 0; i < node.Output.Count; i++) node.Output[i] = Renamed(node.Output[i]);
            graph.Node.Add(node);
        }
        foreach (TensorProto tensor in more.Initializer) tensor.Name = Renamed(tensor.Name);
        graph.Initializer.AddRange(more.Initializer);
        foreach (ValueInfoProto input in more.Input.Where(input => input.Name != joined))
        {
            input.Name = Renamed(input.Name);
            graph.Input.Add(input);
        }
        foreach (ValueInfoProto output in more.Output) graph.Output.Add(new ValueInfoProto { Name = Renamed(output.Name) });
    }

    private static void InitializerToInput(GraphProto graph, TensorProto tensor)
    {
        if (!Enum.IsDefined((ElementType)tensor.DataType)) return;
        graph.Initializer.Remove(tensor);
        graph.Input.Add(ModelParts.Declare(tensor.Name, (ElementType)tensor.DataType, [.. tensor.Dims]));
    }

    private void InputToInitializer(GraphProto graph, ValueInfoProto input)
    {
        if (input.Type?.TensorType is not { } type) return;
        TensorProto tensor = ModelParts.Tensor(input.Name, ElementType.Float32, [1]);
        tensor.DataType = type.ElemType;
        tensor.Dims.Clear();
        foreach (TensorShapeProto.Types.Dimension dim in type.Shape?.Dim ?? []) tensor.Dims.Add(Math.Clamp(dim.DimValue, 0, 16));
        ReplaceTensor(tensor);
        if (random.Next(4) > 0) graph.Input.Remove(input);
        graph.Initializer.Add(tensor);
    }
}
