using Fewbit.Formats;
using Fewbit.Reconstruction;
using Fewbit.Transforms;

namespace Fewbit.Quantization;

/// <summary>What became of a node.</summary>
public enum NodeOutcome
{
    /// <summary>Reads and writes codes: the runtime computes it in integers, or moves codes.</summary>
    Integer,
    /// <summary>Its weight, and where it was asked for what it reads, is rounded to codes; the runtime may compute it in float.</summary>
    Rounded,
    /// <summary>Its effect is part of another node.</summary>
    Merged,
    /// <summary>Computes in float.</summary>
    Float,
    /// <summary>Works on integers of the model itself, such as shapes: nothing to quantize.</summary>
    NotNumeric,
}

/// <summary>Requested against applied, for one node of the original model.</summary>
/// <param name="Name">Name of the node.</param>
/// <param name="OpType">Its operator.</param>
/// <param name="Requested">What the options ask for: "int8 weights, uint8 activations", "uint8 activations", or "float" for an excluded node.</param>
/// <param name="Applied">The formats in the file, such as "int8 weights, uint8 input, float output"; "float" otherwise.</param>
/// <param name="Outcome">What became of it.</param>
/// <param name="Reason">Why it is not what was requested; empty where it is.</param>
public sealed record NodeReport(string Name, string OpType, string Requested, string Applied, NodeOutcome Outcome, string Reason);

/// <summary>The quantizer of one activation.</summary>
/// <param name="Name">Name of the value in the original model.</param>
/// <param name="CodesName">Name of its codes in the quantized model.</param>
/// <param name="Format">The codes.</param>
/// <param name="Scale">Width of one code.</param>
/// <param name="ZeroPoint">The code of 0.</param>
/// <param name="Observed">Lowest and highest finite value in calibration, of the tensor whose range this one shares.</param>
/// <param name="ClippedShare">Share of the calibration values outside of the range, 0 to 1; null where the estimator does not know.</param>
/// <param name="NanCount">NaN among the calibration values.</param>
/// <param name="InfinityCount">Infinities among the calibration values.</param>
/// <param name="RangeOf">Name of the value whose range it takes; its own name where it has one of its own.</param>
/// <param name="Remark">Anything unusual: a constant tensor, an all-zero one, one too small for a scale; empty otherwise.</param>
public sealed record TensorReport(
    string Name, string CodesName, NumberFormat Format, float Scale, int ZeroPoint, ValueRange Observed, double? ClippedShare,
    long NanCount, long InfinityCount, string RangeOf, string Remark)
{
    /// <summary>True where no runtime has a kernel for the format: standard operators simulate it, which brings no speed-up. It has no codes then.</summary>
    public bool IsSimulated { get; init; }
}

/// <summary>The quantizer of one weight.</summary>
/// <param name="Node">Name of the node that reads it.</param>
/// <param name="Name">Name of the weight.</param>
/// <param name="Format">The codes.</param>
/// <param name="Granularity">Which elements share a scale.</param>
/// <param name="ElementCount">Number of weights.</param>
/// <param name="SignalToNoise">10 log10(sum w² / sum (w - quantized w)²), in decibels; infinite where nothing is lost.</param>
/// <param name="ZeroChannels">Channels whose weights are all 0.</param>
/// <param name="WidenedChannels">Channels whose scale was enlarged so that the bias fits into 32 bits.</param>
/// <param name="MaxPairSum">Largest |w₀·x₀ + w₁·x₁| of neighbouring products with 8-bit inputs; above 32,767 CPUs without VNNI saturate. 0 where the file does not hold int8.</param>
public sealed record WeightReport(
    string Node, string Name, NumberFormat Format, Granularity Granularity, long ElementCount, double SignalToNoise,
    IReadOnlyList<int> ZeroChannels, IReadOnlyList<int> WidenedChannels, int MaxPairSum)
{
    /// <summary>Anything unusual beside these: equal weights, channels too small for a scale; empty otherwise.</summary>
    public string Remark { get; init; } = "";

    /// <summary>What the file holds: "int8", "uint4, cast to int8 on loading", "packed 3-bit codes and a table, float once loaded".</summary>
    public string Stored { get; init; } = "";

    /// <summary>True where a runtime computes the layer in float although its activations are codes: the weight is no 8-bit integer with one scale a channel.</summary>
    public bool IsComputedInFloat { get; init; }

    /// <summary>Bytes of the codes in the file; 0 where another node's weight shares them.</summary>
    public long StoredBytes { get; init; }
}

/// <summary>How large the model is.</summary>
/// <param name="FloatParameterBytes">All constants of the original graph.</param>
/// <param name="ParameterBytes">All constants of the quantized graph, as the file holds them.</param>
/// <param name="PackedParameterBytes">The same with each weight code in its own number of bits.</param>
public sealed record SizeReport(long FloatParameterBytes, long ParameterBytes, long PackedParameterBytes);

/// <summary>What quantization did.</summary>
/// <param name="Nodes">Every node of the original model, in its order.</param>
/// <param name="Tensors">Every quantized activation, in the order of the graph.</param>
/// <param name="Weights">Every quantized weight.</param>
/// <param name="Size">How large the model is.</param>
/// <param name="CalibrationSamples">Samples that ranges were estimated on.</param>
/// <param name="Warnings">What deserves attention: NaN in calibration, dead channels.</param>
public sealed record QuantizationReport(
    IReadOnlyList<NodeReport> Nodes, IReadOnlyList<TensorReport> Tensors, IReadOnlyList<WeightReport> Weights, SizeReport Size,
    long CalibrationSamples, IReadOnlyList<string> Warnings)
{
    /// <summary>What became of each layer or block in each pass of a method that learns; empty otherwise.</summary>
    public IReadOnlyList<UnitReport> Units { get; init; } = [];

    /// <summary>What each transform did, in their order.</summary>
    public IReadOnlyList<TransformReport> Transforms { get; init; } = [];
}

/// <summary>How far a long job is.</summary>
/// <param name="Stage">What it is doing: calibrating, learning, writing.</param>
/// <param name="Done">Samples while calibrating, steps of the pass while learning.</param>
/// <param name="Total">Units in all; null where that is not known.</param>
public readonly record struct QuantizationProgress(string Stage, long Done, long? Total)
{
    /// <summary>Unit, step, loss and rate while learning; null otherwise.</summary>
    public ReconstructionProgress? Learning { get; init; }
}
