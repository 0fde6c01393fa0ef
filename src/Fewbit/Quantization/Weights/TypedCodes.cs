using Fewbit.Formats;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>Codes as tensors of ONNX's element types.</summary>
internal static class TypedCodes
{
    /// <summary>Codes in a type: integers of whole bytes, packed ones, or the bits of small floats.</summary>
    /// <param name="codes">Codes of the format, or zeros.</param>
    /// <param name="shape">Their shape.</param>
    /// <param name="format">What they are codes of.</param>
    /// <param name="type">An integer type that holds them, or the format's own.</param>
    public static Tensor Pack(ReadOnlySpan<int> codes, Shape shape, NumberFormat format, ElementType type)
    {
        if (type != format.OnnxType || (!type.IsPacked() && !type.IsFloat())) return AffineQuantizer.Pack(codes, shape, type);
        Tensor packed = Tensor.AllocateUninitialized(type, shape);
        format.Pack(codes).CopyTo(packed.Bytes);
        return packed;
    }
}
