using System.Numerics;
using System.Runtime.InteropServices;
using Fewbit.Graphs;
using Fewbit.Onnx.Protos;
using Fewbit.Tensors;
using Google.Protobuf;

namespace Fewbit.Onnx.Reading;

/// <summary>The elements of a tensor message: raw bytes, typed fields or an external file.</summary>
/// <remarks>Every size is checked against the bytes that are there before memory is taken.</remarks>
internal sealed class TensorReader(ExternalFiles files)
{
    /// <summary>Raw data from here on is not copied: weights would lie in memory twice until the next collection.</summary>
    private const int SharedBytes = 1 << 16;

    /// <summary>Reads the tensor and leaves in the message what the tensor does not hold.</summary>
    public Tensor Read(TensorProto proto, string what)
    {
        ElementType type = ValueType.Element(proto.DataType, what);
        if (type is ElementType.Undefined) throw new InvalidDataException($"{what} states no element type");
        if (type is ElementType.String) throw new InvalidDataException($"{what} holds text, expected numbers");
        if (proto.Segment is not null) throw new InvalidDataException($"{what} is one segment of a larger tensor, expected the whole");
        (Shape shape, long byteCount) = Size(proto, type, what);
        Tensor tensor = proto.DataLocation == TensorProto.Types.DataLocation.External ? files.Read(proto.ExternalData, type, shape, what)
            : proto.HasRawData ? FromRaw(proto.RawData, type, shape, byteCount, what)
            : FromFields(proto, type, shape, byteCount, what);
        ExpectBits(tensor, what);
        Clear(proto);
        return tensor;
    }

    /// <summary>Code may count on a bool being 0 or 1.</summary>
    private static void ExpectBits(Tensor tensor, string what)
    {
        if (tensor.Type != ElementType.Bool || tensor.ElementCount > int.MaxValue) return;
        int wrong = tensor.Bytes.IndexOfAnyExceptInRange((byte)0, (byte)1);
        if (wrong >= 0) throw new InvalidDataException($"{what} holds {tensor.Bytes[wrong]} as bool number {wrong}, expected 0 or 1");
    }

    private static (Shape Shape, long ByteCount) Size(TensorProto proto, ElementType type, string what)
    {
        if (proto.Dims.Count > SymbolicShape.MaxRank) throw new InvalidDataException($"{what} has {proto.Dims.Count} dimensions, expected at most {SymbolicShape.MaxRank}");
        foreach (long dim in proto.Dims)
        {
            if (dim < 0) throw new InvalidDataException($"{what} has dimensions [{string.Join(", ", proto.Dims)}], expected lengths of 0 or more");
        }
        try
        {
            var shape = new Shape(proto.Dims.ToArray());
            return (shape, type.ByteCount(shape.ElementCount));
        }
        catch (OverflowException)
        {
            throw new InvalidDataException($"{what} has dimensions [{string.Join(", ", proto.Dims)}], more elements than 63 bits count");
        }
    }

    private static Tensor FromRaw(ByteString raw, ElementType type, Shape shape, long byteCount, string what)
    {
        if (raw.Length != byteCount) throw new InvalidDataException($"{what} has {raw.Length} bytes of raw data, expected {byteCount} for {type.Name()} {shape}");
        if (raw.Length >= SharedBytes) return new(type, shape, new MemoryOwner(MemoryMarshal.AsMemory(raw.Memory), isReadOnly: true), 0);
        Tensor tensor = Tensor.AllocateUninitialized(type, shape);
        raw.Span.CopyTo(tensor.Bytes);
        return tensor;
    }

    private static Tensor FromFields(TensorProto proto, ElementType type, Shape shape, long byteCount, string what)
    {
        (int count, long expected, string field) = type switch
        {
            ElementType.Float32 => (proto.FloatData.Count, shape.ElementCount, "float_data"),
            ElementType.Complex64 => (proto.FloatData.Count, shape.ElementCount * 2, "float_data"),
            ElementType.Float64 => (proto.DoubleData.Count, shape.ElementCount, "double_data"),
            ElementType.Complex128 => (proto.DoubleData.Count, shape.ElementCount * 2, "double_data"),
            ElementType.Int64 => (proto.Int64Data.Count, shape.ElementCount, "int64_data"),
            ElementType.UInt32 or ElementType.UInt64 => (proto.Uint64Data.Count, shape.ElementCount, "uint64_data"),
            _ => (proto.Int32Data.Count, type.IsPacked() ? byteCount : shape.ElementCount, "int32_data"),
        };
        if (count != expected) throw new InvalidDataException($"{what} has {count} numbers in {field}, expected {expected} for {type.Name()} {shape}");
        Tensor tensor = Tensor.AllocateUninitialized(type, shape);
        Fill(proto, tensor, what);
        return tensor;
    }

    private static void Fill(TensorProto proto, Tensor tensor, string what)
    {
        Span<byte> bytes = tensor.Bytes;
        switch (tensor.Type)
        {
            case ElementType.Float32 or ElementType.Complex64: Copy(proto.FloatData, bytes); break;
            case ElementType.Float64 or ElementType.Complex128: Copy(proto.DoubleData, bytes); break;
            case ElementType.Int64: Copy(proto.Int64Data, bytes); break;
            case ElementType.UInt64: Copy(proto.Uint64Data, bytes); break;
            case ElementType.Int32: Copy(proto.Int32Data, bytes); break;
            case ElementType.UInt32: Narrow<ulong, uint>(proto.Uint64Data, bytes, 0, uint.MaxValue, what); break;
            case ElementType.Int16: Narrow<int, ushort>(proto.Int32Data, bytes, short.MinValue, short.MaxValue, what); break;
            case ElementType.UInt16 or ElementType.Float16 or ElementType.BFloat16: Narrow<int, ushort>(proto.Int32Data, bytes, 0, ushort.MaxValue, what); break;
            case ElementType.Int8: Narrow<int, byte>(proto.Int32Data, bytes, sbyte.MinValue, sbyte.MaxValue, what); break;
            case ElementType.Bool: Narrow<int, byte>(proto.Int32Data, bytes, 0, 1, what); break;
            case ElementType.UInt8: Narrow<int, byte>(proto.Int32Data, bytes, 0, byte.MaxValue, what); break;
            // Bit patterns: writers differ in whether they sign-extend the byte.
            default: Narrow<int, byte>(proto.Int32Data, bytes, sbyte.MinValue, byte.MaxValue, what); break;
        }
    }

    private static void Copy<T>(IList<T> from, Span<byte> bytes) where T : unmanaged
    {
        Span<T> to = MemoryMarshal.Cast<byte, T>(bytes);
        for (int i = 0; i < to.Length; i++) to[i] = from[i];
    }

    /// <summary>Keeps the low bits of each number, which must lie in [min, max].</summary>
    private static void Narrow<TFrom, TTo>(IList<TFrom> from, Span<byte> bytes, TFrom min, TFrom max, string what)
        where TFrom : unmanaged, IBinaryInteger<TFrom> where TTo : unmanaged, IBinaryInteger<TTo>
    {
        Span<TTo> to = MemoryMarshal.Cast<byte, TTo>(bytes);
        for (int i = 0; i < to.Length; i++)
        {
            if (from[i] < min || from[i] > max) throw new InvalidDataException($"{what} holds {from[i]} as number {i}, expected {min} to {max}");
            to[i] = TTo.CreateTruncating(from[i]);
        }
    }

    private static void Clear(TensorProto proto)
    {
        proto.Dims.Clear();
        proto.ClearDataType();
        proto.ClearRawData();
        proto.FloatData.Clear();
        proto.DoubleData.Clear();
        proto.Int32Data.Clear();
        proto.Int64Data.Clear();
        proto.Uint64Data.Clear();
        proto.ExternalData.Clear();
        proto.ClearDataLocation();
    }
}
