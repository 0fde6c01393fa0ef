using Fewbit.Graphs;
using Fewbit.Graphs.Operators;
using Fewbit.Onnx.Protos;
using Fewbit.Tensors;
using Google.Protobuf;
using Kind = Fewbit.Onnx.Protos.AttributeProto.Types.AttributeType;

namespace Fewbit.Onnx.Writing;

/// <summary>Turns a graph and its subgraphs into messages.</summary>
internal sealed class GraphWriter(TensorWriter tensors, OnnxSaveOptions options, LocalFunctions functions)
{
    public GraphProto Write(Graph graph)
    {
        GraphProto proto = (graph.Origin as GraphOrigin)?.Graph.Clone() ?? new();
        proto.Name = graph.Name;
        if (graph.Parent is not null && graph.Documentation.Length > 0) proto.DocString = graph.Documentation;
        var returned = new HashSet<Value>(graph.Outputs);
        foreach (Value input in graph.Inputs) proto.Input.Add(Declare(input));
        foreach (Value constant in graph.Constants) AddInitializer(constant, proto);
        foreach (Node node in graph.Nodes) proto.Node.Add(Write(node, returned));
        foreach (Value output in graph.Outputs) proto.Output.Add(output.Graph == graph ? Declare(output) : CopyOfOuter(output, graph, proto));
        proto.ValueInfo.AddRange(graph.Nodes.SelectMany(node => node.Outputs).Where(value => value.Type != ElementType.Undefined && !returned.Contains(value) && !IsLeftOut(value)).Select(Declare));
        KeepAnnotationsOf(graph, proto);
        return proto;
    }

    private void AddInitializer(Value constant, GraphProto proto)
    {
        var origin = constant.Origin as ValueOrigin;
        TensorProto initializer = tensors.Write(constant.Constant!, $"initializer '{constant.Name}'", origin?.Tensor);
        initializer.Name = constant.Name;
        proto.Initializer.Add(initializer);
        if (options.DefaultsAsInputs && origin is { IsDefaultOfInput: true } && !constant.Graph.Inputs.Contains(constant)) proto.Input.Add(Declare(constant));
    }

    private NodeProto Write(Node node, HashSet<Value> returned)
    {
        if (functions.TryCall(node) is { } call) return call;
        if (node.Domain == OperatorTable.FewbitDomain) throw node.Fail("has no form in ONNX: lower it with the export passes first");
        node.Expect(!node.Is("Resize") || node.OpsetVersion < 13 || node.String("coordinate_transformation_mode", "half_pixel") != "tf_half_pixel_for_nn", $"has coordinate_transformation_mode tf_half_pixel_for_nn, which opset {node.OpsetVersion} lacks, and no equivalent but with nearest_mode floor");
        NodeProto proto = (node.Origin as NodeProto)?.Clone() ?? new();
        (proto.Name, proto.OpType) = (node.Name, node.OpType);
        if (node.Domain.Length > 0) proto.Domain = node.Domain;
        proto.Input.AddRange(node.Inputs.Select(input => input?.Name ?? ""));
        proto.Output.AddRange(node.Outputs.Select(output => IsLeftOut(output) && !returned.Contains(output) ? "" : output.Name));
        while (proto.Input.Count > 0 && proto.Input[^1].Length == 0) proto.Input.RemoveAt(proto.Input.Count - 1);
        while (proto.Output.Count > 1 && proto.Output[^1].Length == 0) proto.Output.RemoveAt(proto.Output.Count - 1);
        foreach ((string name, object value) in node.Attributes) proto.Attribute.Add(Write(name, value, node));
        return proto;
    }

    private AttributeProto Write(string name, object value, Node node)
    {
        string what = $"{node}: attribute '{name}'";
        return value switch
        {
            long number => new() { Name = name, Type = Kind.Int, I = number },
            float number => new() { Name = name, Type = Kind.Float, F = number },
            string text => new() { Name = name, Type = Kind.String, S = ByteString.CopyFromUtf8(text) },
            Tensor tensor => new() { Name = name, Type = Kind.Tensor, T = tensors.Write(tensor, what) },
            Graph graph => new() { Name = name, Type = Kind.Graph, G = Write(graph) },
            long[] numbers => new() { Name = name, Type = Kind.Ints, Ints = { numbers } },
            float[] numbers => new() { Name = name, Type = Kind.Floats, Floats = { numbers } },
            string[] texts => new() { Name = name, Type = Kind.Strings, Strings = { texts.Select(ByteString.CopyFromUtf8) } },
            Tensor[] many => new() { Name = name, Type = Kind.Tensors, Tensors = { many.Select(tensor => tensors.Write(tensor, what)) } },
            Graph[] graphs => new() { Name = name, Type = Kind.Graphs, Graphs = { graphs.Select(Write) } },
            _ => throw new InvalidOperationException($"Bug in the ONNX writer: {what} is a {value.GetType().Name}"),
        };
    }

    /// <summary>A body may not return a value of the graph around it as it is: runtimes ask for a copy.</summary>
    private static ValueInfoProto CopyOfOuter(Value outer, Graph graph, GraphProto proto)
    {
        string name = graph.UniqueName($"{outer.Name}/copy{proto.Output.Count}");
        proto.Node.Add(new NodeProto { Name = name, OpType = "Identity", Input = { outer.Name }, Output = { name } });
        ValueInfoProto info = Declare(outer);
        info.Name = name;
        return info;
    }

    private static ValueInfoProto Declare(Value value)
    {
        ValueInfoProto proto = (value.Origin as ValueOrigin)?.Info?.Clone() ?? new();
        TensorShapeProto? stated = proto.Type?.TensorType?.Shape;
        proto.Name = value.Name;
        if (value.Type == ElementType.Undefined) return proto;
        proto.Type ??= new();
        proto.Type.TensorType = new() { ElemType = (int)value.Type };
        if (value.Shape is not { } shape) return proto;
        proto.Type.TensorType.Shape = new();
        for (int axis = 0; axis < shape.Rank; axis++)
        {
            var dim = new TensorShapeProto.Types.Dimension();
            if (shape[axis].IsKnown) dim.DimValue = shape[axis].Length;
            else if (shape[axis].Symbol is { } symbol) dim.DimParam = symbol;
            if (stated?.Dim.Count == shape.Rank && stated.Dim[axis].HasDenotation) dim.Denotation = stated.Dim[axis].Denotation;
            proto.Type.TensorType.Shape.Dim.Add(dim);
        }
        return proto;
    }

    private static bool IsLeftOut(Value value) => value is { Origin: ValueOrigin { IsUnnamed: true }, Uses.Count: 0 };

    /// <summary>Drops what the file said of tensors that are no more.</summary>
    private static void KeepAnnotationsOf(Graph graph, GraphProto proto)
    {
        for (int i = proto.QuantizationAnnotation.Count - 1; i >= 0; i--)
        {
            TensorAnnotation annotation = proto.QuantizationAnnotation[i];
            if (annotation.QuantParameterTensorNames.Select(entry => entry.Value).Append(annotation.TensorName).Any(name => graph.Find(name) is null)) proto.QuantizationAnnotation.RemoveAt(i);
        }
    }
}
