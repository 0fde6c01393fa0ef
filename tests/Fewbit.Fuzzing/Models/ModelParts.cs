using Fewbit.Onnx.Protos;
using Fewbit.Tensors;
using Google.Protobuf;
using Kind = Fewbit.Onnx.Protos.AttributeProto.Types.AttributeType;

namespace Fewbit.Fuzzing.Models;

/// <summary>Messages that seeds and mutations are put together from.</summary>
internal static class ModelParts
{
    public static ValueInfoProto Declare(string name, ElementType type, params ReadOnlySpan<long> dims)
    {
        var shape = new TensorShapeProto();
        foreach (long dim in dims) shape.Dim.Add(new TensorShapeProto.Types.Dimension { DimValue = dim });
        return new() { Name = name, Type = new() { TensorType = new() { ElemType = (int)type, Shape = shape } } };
    }

    /// <summary>A tensor whose bytes fit its dimensions; without values small numbers that differ.</summary>
    public static TensorProto Tensor(string name, ElementType type, long[] dims, double[]? values = null)
    {
        long count = dims.Aggregate(1L, (product, dim) => product * dim);
        var bytes = new byte[type.ByteCount(count)];
        for (int i = 0; i < count; i++) Put(bytes, type, i, values?[i % values.Length] ?? Small(type, i));
        return new() { Name = name, DataType = (int)type, Dims = { dims }, RawData = ByteString.CopyFrom(bytes) };
    }

    public static NodeProto Node(string opType, string[] inputs, string[] outputs, params AttributeProto[] attributes) =>
        new() { OpType = opType, Name = outputs[0], Input = { inputs }, Output = { outputs }, Attribute = { attributes } };

    public static AttributeProto Int(string name, long value) => new() { Name = name, Type = Kind.Int, I = value };

    public static AttributeProto Ints(string name, params long[] values) => new() { Name = name, Type = Kind.Ints, Ints = { values } };

    public static AttributeProto Body(string name, GraphProto graph) => new() { Name = name, Type = Kind.Graph, G = graph };

    public static ModelProto Model(GraphProto graph, int opset = SeedNode.DefaultOpset) =>
        new() { IrVersion = 10, Graph = graph, OpsetImport = { new OperatorSetIdProto { Domain = "", Version = opset } } };

    private static double Small(ElementType type, int i) => type switch
    {
        ElementType.Bool => i % 2,
        _ when type.IsFloat() => (i % 7 - 3) * 0.25 + 0.125,
        _ when type.IsSignedInteger() => i % 5 - 2,
        _ => i % 4,
    };

    private static void Put(Span<byte> bytes, ElementType type, int index, double value)
    {
        int width = type.BitWidth();
        if (type == ElementType.Float32) BitConverter.TryWriteBytes(bytes[(index * 4)..], (float)value);
        else if (type == ElementType.Float64) BitConverter.TryWriteBytes(bytes[(index * 8)..], value);
        else if (type == ElementType.Float16) BitConverter.TryWriteBytes(bytes[(index * 2)..], (Half)value);
        else if (type == ElementType.BFloat16) BitConverter.TryWriteBytes(bytes[(index * 2)..], (ushort)(BitConverter.SingleToUInt32Bits((float)value) >> 16));
        else if (width >= 8) Integer((long)value, bytes.Slice(index * (width / 8), width / 8));
        else bytes[index * width / 8] |= (byte)(((int)value & ((1 << width) - 1)) << (index * width % 8));
    }

    private static void Integer(long value, Span<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i++) bytes[i] = (byte)(value >> Math.Min(63, 8 * i));
    }
}
