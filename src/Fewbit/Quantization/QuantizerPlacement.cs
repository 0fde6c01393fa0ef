namespace Fewbit.Quantization;

/// <summary>Which values of a network get a quantizer.</summary>
public enum QuantizerPlacement
{
    /// <summary>What ONNX Runtime needs to compute in integers: beside the papers' places, 8-bit quantizers at the inputs and behind every layer and every sum.</summary>
    Deploy,
    /// <summary>
    /// What papers on learned rounding measure: only what a layer with weights reads is quantized, behind the activation that computes it.
    /// A layer in front of a sum, the picture and the last layer's output stay float, and so do the sums of such layers in a runtime.
    /// </summary>
    Paper,
}
