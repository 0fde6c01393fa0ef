using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Targets;
using Fewbit.Transforms;

namespace Fewbit.Quantization;

/// <summary>What <see cref="Quantizer"/> is to do. The defaults make an int8 model for ONNX Runtime on a CPU.</summary>
public sealed record QuantizationOptions
{
    private readonly bool _namesActivations;

    /// <summary>
    /// What the model is written for: it decides the formats that are not set, zero points, biases, pairs and placement, and refuses what it cannot run.
    /// Null, the default: <see cref="ExportTarget.OrtX64"/>, and nothing is refused that ONNX Runtime loads.
    /// </summary>
    public ExportTarget? Target { get; init; }

    /// <summary>The oldest release of ONNX Runtime that must load the model. Null, the default: the newest that is known.</summary>
    public RuntimeVersion? Runtime { get; init; }

    /// <summary>
    /// The numbers of the weights. Default: the target's, int8. Signed integers are symmetric and drop their lowest code; unsigned ones are affine. The runtime computes
    /// in integers with those of up to 8 bits, and with small floats and powers of two that are whole multiples of a unit up to 127 of it, such as fp4e2m1; with others in float.
    /// </summary>
    public NumberFormat Weights { get => field ?? Destination.Weights; init; }

    /// <summary>How the file holds the codes of weights. Default: fast, in bytes.</summary>
    public WeightContainer Container { get; init; }

    /// <summary>Which weights share a scale. Default: those of one output channel.</summary>
    public WeightGranularity WeightGranularity { get; init; }

    /// <summary>
    /// The numbers of the activations, one scale per tensor. Default: the target's, uint8. Null: activations stay float, only weights are quantized.
    /// Integers are affine; below 8 bits the file holds 8-bit codes that are clipped to the format. Of 16-bit integers and 8-bit floats runtimes know the codes but compute in float;
    /// other formats are simulated by standard operators. Where the runtime computes in float, what layers with weights read is quantized and nothing else.
    /// </summary>
    public NumberFormat? Activations
    {
        get => _namesActivations ? field : Destination.Activations;
        init => (field, _namesActivations) = (value, true);
    }

    /// <summary>Whether formats that could only be simulated are refused. Default: false.</summary>
    public bool Strict { get; init; }

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
        if (Activations is null && Overrides.FirstOrDefault(layer => (layer.Activations, layer.ActivationRange) != (null, null)) is { } contradicted)
            throw new ArgumentException($"the override of '{contradicted.Layers}' is for activations, which stay float; leave it out, or state Activations");
        if (QuantizeOutputs && (!RunsInIntegers || Placement == QuantizerPlacement.Paper))
            throw new ArgumentException($"the outputs of the model cannot be quantized {(Activations is null ? "with float activations" : Placement == QuantizerPlacement.Paper ? "in the placement of papers" : $"with {Weights} weights and {Activations} activations, with which runtimes compute in float")}; leave QuantizeOutputs out");
        if (Strict && AllActivations.FirstOrDefault(format => ActivationForms.Of(format) == ActivationForm.Simulated) is { } simulated)
            throw new ArgumentException($"no runtime has a kernel for activations {simulated}: they would be a simulation without speed-up; choose uint1 to uint8, int2 to int8, a 16-bit integer or an 8-bit float such as fp8e4m3fn, or leave Strict (--strict) out");
        CheckTarget();
        FloatTransforms.CheckOrder(Transforms);
        bool isBrecq = Method is RoundingMethod.AdaRound or RoundingMethod.Brecq;
        return this with { KeepFirstOutputAt8Bits = KeepFirstOutputAt8Bits ?? isBrecq, KeepLastInputAt8Bits = KeepLastInputAt8Bits ?? !isBrecq };
    }

    /// <summary>The target, or what a model without one is written for.</summary>
    internal ExportTarget Destination => Target ?? ExportTarget.OrtX64;

    internal RangeRule EffectiveActivationRange(bool isPaperSite) => Method != RoundingMethod.Nearest || ActivationRange is null || (ActivationRange.IsPaperSearch && !isPaperSite) ? RangeRule.MeanSquaredError : ActivationRange;

    internal RangeRule EffectiveWeightRange(NumberFormat format) => WeightRange ?? (format.BitWidth >= 8 ? RangeRule.MinMax : RangeRule.MeanSquaredError);

    /// <summary>True where ONNX Runtime can compute in integers with the formats asked for; elsewhere it rounds to them and computes in float.</summary>
    public bool RunsInIntegers => Activations is not null && AllActivations.All(format => ActivationForms.Of(format) == ActivationForm.Byte)
        && WeightForm.Of(Weights, WeightGranularity.GroupSize is not null, new(Container, IsConvolution: true, MeetsCodes: true)).IsInteger;

    private IEnumerable<NumberFormat> AllActivations => Overrides.Select(layer => layer.Activations).Prepend(Activations).OfType<NumberFormat>();

    /// <exception cref="ArgumentException">The target cannot run what the options ask for.</exception>
    private void CheckTarget()
    {
        if (Target is null) return;
        Target.Check(Weights, Activations);
        foreach (LayerOverride layer in Overrides.Where(layer => layer.Exclude != true)) Target.Check(layer.Weights ?? Weights, layer.Activations ?? Activations);
        if (!Target.IsOnnxRuntime && Runtime is not null) throw new ArgumentException($"{Runtime} is a release of ONNX Runtime, and {Target} is none of its targets; leave the runtime out");
        if (Target.Placement != TargetPlacement.WeightedInputs) return;
        if (Placement == QuantizerPlacement.Paper) throw new ArgumentException($"{Target} needs quantizers in front of every layer, and the placement of papers leaves some out; take the placement deploy");
        if (QuantizeOutputs) throw new ArgumentException($"{Target} wants no quantizers behind the last layers; leave QuantizeOutputs out");
    }
}
