using Fewbit.Tensors;

namespace Fewbit.OnnxRuntime.Native;

/// <summary>The numbers of ONNXTensorElementDataType: those of ONNX, but for the last three, where Float8E8M0 was added late.</summary>
internal static class OrtElementType
{
    private const int UInt2 = 24, Int2 = 25, Float8E8M0 = 26;

    public static int FromOnnx(ElementType type) => type switch
    {
        ElementType.UInt2 => UInt2,
        ElementType.Int2 => Int2,
        ElementType.Float8E8M0 => Float8E8M0,
        _ => (int)type,
    };

    public static ElementType ToOnnx(int type) => type switch
    {
        UInt2 => ElementType.UInt2,
        Int2 => ElementType.Int2,
        Float8E8M0 => ElementType.Float8E8M0,
        _ => (ElementType)type,
    };
}
