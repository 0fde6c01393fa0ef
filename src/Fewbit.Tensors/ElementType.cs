namespace Fewbit.Tensors;

/// <summary>The type of one element of a tensor. The numbers are those of ONNX TensorProto.DataType.</summary>
public enum ElementType
{
    /// <summary>No type, or not known.</summary>
    Undefined = 0,
    /// <summary>IEEE 754 binary32.</summary>
    Float32 = 1,
    /// <summary>Unsigned 8-bit integer.</summary>
    UInt8 = 2,
    /// <summary>Signed 8-bit integer.</summary>
    Int8 = 3,
    /// <summary>Unsigned 16-bit integer.</summary>
    UInt16 = 4,
    /// <summary>Signed 16-bit integer.</summary>
    Int16 = 5,
    /// <summary>Signed 32-bit integer.</summary>
    Int32 = 6,
    /// <summary>Signed 64-bit integer.</summary>
    Int64 = 7,
    /// <summary>UTF-8 text; named so that a message can speak of it, not computed with.</summary>
    String = 8,
    /// <summary>One byte, 0 or 1.</summary>
    Bool = 9,
    /// <summary>IEEE 754 binary16.</summary>
    Float16 = 10,
    /// <summary>IEEE 754 binary64.</summary>
    Float64 = 11,
    /// <summary>Unsigned 32-bit integer.</summary>
    UInt32 = 12,
    /// <summary>Unsigned 64-bit integer.</summary>
    UInt64 = 13,
    /// <summary>Two binary32: real and imaginary part.</summary>
    Complex64 = 14,
    /// <summary>Two binary64: real and imaginary part.</summary>
    Complex128 = 15,
    /// <summary>The upper half of a binary32.</summary>
    BFloat16 = 16,
    /// <summary>8 bits, 4 exponent, 3 mantissa, no infinity, ±448.</summary>
    Float8E4M3FN = 17,
    /// <summary>As E4M3FN with bias 8 and no negative zero, ±240.</summary>
    Float8E4M3FNUZ = 18,
    /// <summary>8 bits, 5 exponent, 2 mantissa, with infinities, ±57344.</summary>
    Float8E5M2 = 19,
    /// <summary>As E5M2 with bias 16, no infinity and no negative zero, ±57344.</summary>
    Float8E5M2FNUZ = 20,
    /// <summary>Unsigned 4-bit integer, two in a byte, the first in the low half.</summary>
    UInt4 = 21,
    /// <summary>Signed 4-bit integer, two in a byte, the first in the low half.</summary>
    Int4 = 22,
    /// <summary>4 bits, 2 exponent, 1 mantissa, two in a byte, ±6.</summary>
    Float4E2M1 = 23,
    /// <summary>8 exponent bits alone: a power of two, used as a scale.</summary>
    Float8E8M0 = 24,
    /// <summary>Unsigned 2-bit integer, four in a byte, the first in the lowest bits.</summary>
    UInt2 = 25,
    /// <summary>Signed 2-bit integer, four in a byte, the first in the lowest bits.</summary>
    Int2 = 26,
}

/// <summary>Facts about each <see cref="ElementType"/>.</summary>
public static class ElementTypes
{
    /// <summary>Bits of one element; 0 for undefined and text.</summary>
    public static int BitWidth(this ElementType type) => type switch
    {
        ElementType.UInt2 or ElementType.Int2 => 2,
        ElementType.UInt4 or ElementType.Int4 or ElementType.Float4E2M1 => 4,
        ElementType.UInt8 or ElementType.Int8 or ElementType.Bool => 8,
        >= ElementType.Float8E4M3FN and <= ElementType.Float8E5M2FNUZ or ElementType.Float8E8M0 => 8,
        ElementType.UInt16 or ElementType.Int16 or ElementType.Float16 or ElementType.BFloat16 => 16,
        ElementType.Float32 or ElementType.Int32 or ElementType.UInt32 => 32,
        ElementType.Float64 or ElementType.Int64 or ElementType.UInt64 or ElementType.Complex64 => 64,
        ElementType.Complex128 => 128,
        _ => 0,
    };

    /// <summary>Bytes that <paramref name="count"/> elements take, packed types rounded up to whole bytes.</summary>
    /// <exception cref="OverflowException">The number of bytes leaves 63 bits.</exception>
    public static long ByteCount(this ElementType type, long count)
    {
        int bits = type.BitWidth();
        return bits >= 8 ? checked(count * (bits / 8)) : checked((count * bits + 7) / 8);
    }

    /// <summary>True for types whose elements share bytes.</summary>
    public static bool IsPacked(this ElementType type) => type.BitWidth() is > 0 and < 8;

    /// <summary>True for real floating-point types of any width.</summary>
    public static bool IsFloat(this ElementType type) => type is ElementType.Float32 or ElementType.Float64 or ElementType.Float16
        or ElementType.BFloat16 or ElementType.Float4E2M1 or ElementType.Float8E8M0 or (>= ElementType.Float8E4M3FN and <= ElementType.Float8E5M2FNUZ);

    /// <summary>True for integers of any width, not for Bool.</summary>
    public static bool IsInteger(this ElementType type) => type.IsSignedInteger() || type is ElementType.UInt2 or ElementType.UInt4
        or ElementType.UInt8 or ElementType.UInt16 or ElementType.UInt32 or ElementType.UInt64;

    /// <summary>True for two's complement integers.</summary>
    public static bool IsSignedInteger(this ElementType type) => type is ElementType.Int2 or ElementType.Int4 or ElementType.Int8
        or ElementType.Int16 or ElementType.Int32 or ElementType.Int64;

    /// <summary>The name that ONNX and messages use: float32, uint8, float8e4m3fn.</summary>
    public static string Name(this ElementType type) => type switch
    {
        _ when !Enum.IsDefined(type) => $"element type {(int)type}",
        _ => type.ToString().ToLowerInvariant(),
    };

    /// <summary>The element type that holds <typeparamref name="T"/>.</summary>
    /// <exception cref="NotSupportedException">No element type holds it.</exception>
    public static ElementType Of<T>() where T : unmanaged
    {
        if (typeof(T) == typeof(float)) return ElementType.Float32;
        if (typeof(T) == typeof(double)) return ElementType.Float64;
        if (typeof(T) == typeof(Half)) return ElementType.Float16;
        if (typeof(T) == typeof(BFloat16)) return ElementType.BFloat16;
        if (typeof(T) == typeof(byte)) return ElementType.UInt8;
        if (typeof(T) == typeof(sbyte)) return ElementType.Int8;
        if (typeof(T) == typeof(ushort)) return ElementType.UInt16;
        if (typeof(T) == typeof(short)) return ElementType.Int16;
        if (typeof(T) == typeof(int)) return ElementType.Int32;
        if (typeof(T) == typeof(uint)) return ElementType.UInt32;
        if (typeof(T) == typeof(long)) return ElementType.Int64;
        if (typeof(T) == typeof(ulong)) return ElementType.UInt64;
        if (typeof(T) == typeof(bool)) return ElementType.Bool;
        throw new NotSupportedException($"no tensor element type holds {typeof(T).Name}");
    }
}
