using Fewbit.Onnx.Protos;
using Fewbit.Tensors;
using Google.Protobuf;
using Kind = Fewbit.Onnx.Protos.AttributeProto.Types.AttributeType;

namespace Fewbit.Onnx.Tests;

/// <summary>Messages of small models, written field by field so that a test does not lean on our writer.</summary>
internal static class OneNodeModel
{
    /// <summary>A model of one node: float input x, further inputs as initializers, float outputs.</summary>
    public static ModelProto Create(string opType, int opset, long[] xShape, AttributeProto[] attributes, TensorProto[] initializers, int outputs = 1)
    {
        var node = new NodeProto { OpType = opType, Name = "node", Input = { "x" }, Attribute = { attributes } };
        node.Input.AddRange(initializers.Select(tensor => tensor.Name));
        var graph = new GraphProto { Name = "graph", Node = { node }, Initializer = { initializers }, Input = { Float("x", xShape) } };
        for (int i = 0; i < outputs; i++)
        {
            node.Output.Add($"y{i}");
            graph.Output.Add(Float($"y{i}", null));
        }
        return Of(graph, opset);
    }

    public static ModelProto Of(GraphProto graph, int opset) =>
        new() { IrVersion = 7, Graph = graph, OpsetImport = { new OperatorSetIdProto { Domain = "", Version = opset } } };

    public static ValueInfoProto Float(string name, long[]? shape)
    {
        var type = new TypeProto.Types.Tensor { ElemType = (int)ElementType.Float32 };
        if (shape is not null) type.Shape = new() { Dim = { shape.Select(length => new TensorShapeProto.Types.Dimension { DimValue = length }) } };
        return new() { Name = name, Type = new() { TensorType = type } };
    }

    public static AttributeProto Ints(string name, params long[] values) => new() { Name = name, Type = Kind.Ints, Ints = { values } };

    public static AttributeProto Int(string name, long value) => new() { Name = name, Type = Kind.Int, I = value };

    public static AttributeProto Floats(string name, params float[] values) => new() { Name = name, Type = Kind.Floats, Floats = { values } };

    public static AttributeProto Real(string name, float value) => new() { Name = name, Type = Kind.Float, F = value };

    public static AttributeProto Text(string name, string value) => new() { Name = name, Type = Kind.String, S = ByteString.CopyFromUtf8(value) };

    public static TensorProto Tensor(string name, long[] dims, params float[] values) => new() { Name = name, DataType = 1, Dims = { dims }, FloatData = { values } };

    public static TensorProto Empty(string name) => new() { Name = name, DataType = 1, Dims = { 0 } };

    public static TensorProto Tensor(string name, params long[] values) => new() { Name = name, DataType = 7, Dims = { values.Length }, Int64Data = { values } };
}
