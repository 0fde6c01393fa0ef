using Fewbit.Formats;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>How the file quantizes an activation.</summary>
internal enum ActivationForm
{
    /// <summary>8-bit QuantizeLinear, a Clip on the codes below 8 bits, DequantizeLinear: what ONNX Runtime computes with in integers.</summary>
    Byte,
    /// <summary>16-bit QuantizeLinear and DequantizeLinear, behind a Clip of the numbers below 16 bits. Nodes between them run in float.</summary>
    Word,
    /// <summary>
    /// QuantizeLinear to an 8-bit float, Cast, Mul. A DequantizeLinear would be taken for one that ONNX Runtime can compute with: it replaces the product of
    /// two such by an operator on integers, and does not load the model.
    /// </summary>
    Float8,
    /// <summary>A function of the model, made of standard operators: no runtime has a kernel.</summary>
    Simulated,
}

/// <summary>The form of each format.</summary>
internal static class ActivationForms
{
    public static ActivationForm Of(NumberFormat format) => format switch
    {
        IntegerFormat { BitWidth: <= 8 } => ActivationForm.Byte,
        IntegerFormat => ActivationForm.Word,
        { OnnxType: >= ElementType.Float8E4M3FN and <= ElementType.Float8E5M2FNUZ } => ActivationForm.Float8,
        _ => ActivationForm.Simulated,
    };

    /// <summary>The element type of the codes.</summary>
    public static ElementType CodeType(NumberFormat format) => Of(format) == ActivationForm.Float8 ? format.OnnxType!.Value : format.StorageType;

    /// <summary>The first opset with what the form needs.</summary>
    public static int Opset(NumberFormat format) => Of(format) == ActivationForm.Simulated ? 13 : WeightForm.OpsetOf(CodeType(format));
}
