using Fewbit.Graphs;
using Fewbit.Onnx.Protos;
using Fewbit.Tensors;

namespace Fewbit.Onnx.Reading;

/// <summary>The type message of a value.</summary>
internal static class ValueType
{
    /// <summary>Element type and shape of a tensor; the shape is null where the rank is not stated.</summary>
    /// <exception cref="InvalidDataException">The value is not a tensor.</exception>
    public static (ElementType Type, SymbolicShape? Shape) Read(TypeProto proto, string what)
    {
        if (proto.ValueCase == TypeProto.ValueOneofCase.None) return (ElementType.Undefined, null);
        if (proto.ValueCase != TypeProto.ValueOneofCase.TensorType)
            throw new InvalidDataException($"{what} is a {KindOf(proto.ValueCase)}, expected a tensor");
        ElementType type = Element(proto.TensorType.ElemType, what);
        return (type, proto.TensorType.Shape is { } shape ? Shape(shape, what) : null);
    }

    /// <summary>The element type with that number.</summary>
    public static ElementType Element(int number, string what) =>
        Enum.IsDefined((ElementType)number) ? (ElementType)number : throw new InvalidDataException($"{what} has element type {number}, expected one of 1 to {(int)ElementType.Int2}");

    private static SymbolicShape Shape(TensorShapeProto proto, string what)
    {
        if (proto.Dim.Count > SymbolicShape.MaxRank) throw new InvalidDataException($"{what} has {proto.Dim.Count} dimensions, expected at most {SymbolicShape.MaxRank}");
        var dims = new Dim[proto.Dim.Count];
        for (int axis = 0; axis < dims.Length; axis++)
        {
            TensorShapeProto.Types.Dimension dim = proto.Dim[axis];
            if (dim.ValueCase == TensorShapeProto.Types.Dimension.ValueOneofCase.DimParam && dim.DimParam.Length > 0) dims[axis] = dim.DimParam;
            if (dim.ValueCase != TensorShapeProto.Types.Dimension.ValueOneofCase.DimValue) continue;
            // Some exporters write -1 for a free length.
            if (dim.DimValue is < -1 or long.MaxValue) throw new InvalidDataException($"{what} has length {dim.DimValue} in dimension {axis}, expected 0 or more");
            dims[axis] = dim.DimValue == -1 ? Dim.Unknown : dim.DimValue;
        }
        return new(dims);
    }

    private static string KindOf(TypeProto.ValueOneofCase kind) => kind switch
    {
        TypeProto.ValueOneofCase.SequenceType => "sequence",
        TypeProto.ValueOneofCase.OptionalType => "optional value",
        TypeProto.ValueOneofCase.MapType => "map",
        TypeProto.ValueOneofCase.SparseTensorType => "sparse tensor",
        _ => "value of an opaque type",
    };
}
