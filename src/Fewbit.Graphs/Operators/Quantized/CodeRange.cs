using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>The integer codes that an element type holds.</summary>
internal static class CodeRange
{
    public static (int Min, int Max) Of(ElementType type) => type switch
    {
        ElementType.UInt2 => (0, 3),
        ElementType.Int2 => (-2, 1),
        ElementType.UInt4 => (0, 15),
        ElementType.Int4 => (-8, 7),
        ElementType.UInt8 => (0, 255),
        ElementType.Int8 => (-128, 127),
        ElementType.UInt16 => (0, 65535),
        ElementType.Int16 => (-32768, 32767),
        ElementType.Int32 => (int.MinValue, int.MaxValue),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "holds no integer codes"),
    };

    public static bool HasCodes(this ElementType type) => type is ElementType.UInt2 or ElementType.Int2 or ElementType.UInt4 or ElementType.Int4
        or ElementType.UInt8 or ElementType.Int8 or ElementType.UInt16 or ElementType.Int16 or ElementType.Int32;

    public static bool Is8Bit(this ElementType type) => type is ElementType.UInt8 or ElementType.Int8;
}
