using Fewbit.Calibration;
using Fewbit.Formats;

namespace Fewbit.Quantization;

/// <summary>Other settings for some nodes of a model; what is null stays as it is. Of several overrides of a node the last that states a field decides it.</summary>
public sealed record LayerOverride
{
    /// <summary>Name of a node, or a pattern with * for any text and ? for one character. A name that a node has is that node alone, whatever it contains.</summary>
    public required string Layers { get; init; }

    /// <summary>Codes of the weights. They hold for first and last layers too.</summary>
    public NumberFormat? Weights { get; init; }

    /// <summary>Codes of what the nodes read, where the layer or sum that computes it ends. Read by several layers, it gets the most bits that one of them asks for.</summary>
    public NumberFormat? Activations { get; init; }

    /// <summary>How weight ranges are chosen.</summary>
    public RangeRule? WeightRange { get; init; }

    /// <summary>How the ranges of what the nodes read are chosen; read by several nodes, the last override decides.</summary>
    public RangeRule? ActivationRange { get; init; }

    /// <summary>Which weights share a scale.</summary>
    public WeightGranularity? WeightGranularity { get; init; }

    /// <summary>True: the nodes stay float. False: an earlier override, or <see cref="QuantizationOptions.Exclude"/>, no longer holds for them.</summary>
    public bool? Exclude { get; init; }

    /// <summary>This one with what a later override states in its place.</summary>
    internal LayerOverride Then(LayerOverride later) => new()
    {
        Layers = Layers, Weights = later.Weights ?? Weights, Activations = later.Activations ?? Activations, WeightRange = later.WeightRange ?? WeightRange,
        ActivationRange = later.ActivationRange ?? ActivationRange, WeightGranularity = later.WeightGranularity ?? WeightGranularity, Exclude = later.Exclude ?? Exclude,
    };
}
