using Fewbit.Tensors;

namespace Fewbit.Targets;

/// <summary>The opsets of ONNX that brought types to QuantizeLinear and DequantizeLinear.</summary>
public static class Opsets
{
    /// <summary>The opset that brought one scale per channel.</summary>
    public const int PerChannel = 13;

    /// <summary>The opset that brought one scale per block.</summary>
    public const int PerBlock = 21;

    /// <summary>The lowest opset in which codes have a type, with scales per channel.</summary>
    /// <exception cref="ArgumentException">Codes never have that type.</exception>
    public static int FirstWith(ElementType codes) => codes switch
    {
        ElementType.Int8 or ElementType.UInt8 or ElementType.Int32 => PerChannel,
        >= ElementType.Float8E4M3FN and <= ElementType.Float8E5M2FNUZ => 19,
        ElementType.Int16 or ElementType.UInt16 or ElementType.Int4 or ElementType.UInt4 => 21,
        ElementType.Float4E2M1 => 23,
        ElementType.Int2 or ElementType.UInt2 => 25,
        _ => throw new ArgumentException($"{codes.Name()} is no type of codes in ONNX", nameof(codes)),
    };
}
