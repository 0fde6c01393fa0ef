namespace Fewbit.Quantization;

/// <summary>How the file holds the codes of weights.</summary>
public enum WeightContainer
{
    /// <summary>In bytes, so that a runtime need not take them apart: 1- to 7-bit codes, and small floats that are whole multiples of a unit, as int8.</summary>
    Fast,
    /// <summary>In as few bits as they have: ONNX's 2- and 4-bit types, other widths packed into words. Standard nodes take them apart when the model is loaded.</summary>
    Small,
}
