using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Transforms;

namespace Fewbit.Quantization;

/// <summary>What <see cref="Quantizer"/> is to do. The defaults make an int8 model for ONNX Runtime on a CPU.</summary>
public sealed record QuantizationOptions
{
    /// <summary>
    /// Codes of the weights, 1 to 8 bits. Default: int8. Signed formats are symmetric and drop their lowest code;
    /// unsigned ones (7 bits or fewer) are affine. The file holds code - zero point as int8, whatever the bits: then the runtime fuses the node.
    /// </summary>
    public NumberFormat Weights { get; init => field = CheckWeights(value); } = IntegerFormat.Int8;

    /// <summary>Which weights share a scale. Default: those of one output channel.</summary>
    public WeightGranularity WeightGranularity { get; init; }

    /// <summary>
    /// Codes of the activations, unsigned, 1 to 8 bits, affine, one scale per tensor. Default: uint8.
    /// Below 8 bits the file holds uint8 codes that are clipped to the format. Null: activations stay float, only weights are quantized.
    /// </summary>
    public NumberFormat? Activations { get; init => field = CheckActivations(value); } = IntegerFormat.UInt8;

    /// <summary>Which values get a quantizer. Default: deploy, what ONNX Runtime computes in integers.</summary>
    public QuantizerPlacement Placement { get; init; } = QuantizerPlacement.Deploy;

    /// <summary>How codes are chosen. Default: nearest; the other methods learn them from the calibration samples.</summary>
    public RoundingMethod Method { get; init; }

    /// <summary>Settings of a method that learns.</summary>
    public LearningOptions Learning { get; init; } = new();

    /// <summary>How weight ranges are chosen, channel by channel. Null, the default: minmax from 8 bits, mse below; a method that learns has its paper's search.</summary>
    public RangeRule? WeightRange { get; init; }

    /// <summary>
    /// How activation ranges are chosen. Null, the default: mse, better than minmax on networks whose activations have outliers; a method that learns has its paper's search.
    /// The searches of papers are for the values that the papers quantize; 8-bit quantizers that only integer execution needs take mse beside them.
    /// </summary>
    public RangeRule? ActivationRange { get; init; }

    /// <summary>Whether the weights of the first and the last layers keep 8 bits. Default: true.</summary>
    public bool KeepEdgesAt8Bits { get; init; } = true;

    /// <summary>Whether what the last layers read keeps 8 bits, where it is computed: the last block's output in a classifier. Null, the default: true, but for AdaRound and BRECQ, as in BRECQ's published code.</summary>
    public bool? KeepLastInputAt8Bits { get; init; }

    /// <summary>Whether the first layers' results keep 8 bits. Null, the default: false, but for AdaRound and BRECQ, as in BRECQ's published code.</summary>
    public bool? KeepFirstOutputAt8Bits { get; init; }

    /// <summary>What is done to the float model before, and to biases after its weights are rounded, in this order. Default: nothing.</summary>
    public IReadOnlyList<ModelTransform> Transforms { get; init; } = [];

    /// <summary>Names of nodes that stay float.</summary>
    public IReadOnlyCollection<string> Exclude { get; init; } = [];

    /// <summary>Other settings for some nodes, in order: the last override of a node that states a field decides it. Default: none.</summary>
    public IReadOnlyList<LayerOverride> Overrides { get; init; } = [];

    /// <summary>Whether the outputs of the model are quantized too, so that a final Conv runs in integers. Default: false.</summary>
    public bool QuantizeOutputs { get; init; }

    /// <summary>The options with what a method that learns decides about first and last layers.</summary>
    /// <exception cref="ArgumentException">Options contradict each other.</exception>
    internal QuantizationOptions Resolve()
    {
        if (QuantizeOutputs && (Activations is null || Placement == QuantizerPlacement.Paper))
            throw new ArgumentException($"the outputs of the model cannot be quantized {(Activations is null ? "with float activations" : "in the placement of papers")}; leave QuantizeOutputs out");
        if (Activations is null && Overrides.FirstOrDefault(layer => (layer.Activations, layer.ActivationRange) != (null, null)) is { } contradicted)
            throw new ArgumentException($"the override of '{contradicted.Layers}' is for activations, which stay float; leave it out, or state Activations");
        FloatTransforms.CheckOrder(Transforms);
        bool isBrecq = Method is RoundingMethod.AdaRound or RoundingMethod.Brecq;
        return this with { KeepFirstOutputAt8Bits = KeepFirstOutputAt8Bits ?? isBrecq, KeepLastInputAt8Bits = KeepLastInputAt8Bits ?? !isBrecq };
    }

    internal RangeRule EffectiveActivationRange(bool isPaperSite) => Method != RoundingMethod.Nearest || ActivationRange is null || (ActivationRange.IsPaperSearch && !isPaperSite) ? RangeRule.MeanSquaredError : ActivationRange;

    internal RangeRule EffectiveWeightRange(NumberFormat format) => WeightRange ?? (format.BitWidth >= 8 ? RangeRule.MinMax : RangeRule.MeanSquaredError);

    internal static NumberFormat CheckWeights(NumberFormat format) => format is IntegerFormat and ({ BitWidth: <= 8, HasSignedCodes: true } or { BitWidth: <= 7 }) ? format
        : throw new ArgumentException($"weights cannot be {format}, expected int1 to int8 or uint1 to uint7: an unsigned 8-bit weight does not fit the int8 container", nameof(format));

    internal static NumberFormat? CheckActivations(NumberFormat? format) => format is null or IntegerFormat { BitWidth: <= 8, IsSigned: false } ? format
        : throw new ArgumentException($"activations cannot be {format}, expected uint1 to uint8, what ONNX Runtime fuses on a CPU", nameof(format));
}
