using Fewbit.Tensors;

namespace Fewbit.Transforms;

/// <summary>A rewrite of a float model, or of its biases, that makes rounding cost less: one record for each kind, with its settings.</summary>
public abstract record ModelTransform
{
    private protected ModelTransform()
    {
    }

    /// <summary>Name in reports.</summary>
    public abstract string Name { get; }

    /// <summary>Calibration samples that the transform looks at, at most; 0 where it needs none.</summary>
    internal abstract int SamplesNeeded { get; }
}

/// <summary>Scales channels between layers so that both sides have equal weight ranges. The float function stays what it is.</summary>
/// <remarks>Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, arXiv:1906.04721.</remarks>
public sealed record EqualizeLayers : ModelTransform
{
    /// <inheritdoc/>
    public override string Name => "equalize layers";

    /// <summary>Sweeps over all pairs of layers, at least 1. Default: 200; pairs that share no layer need one.</summary>
    public int Sweeps { get; init => field = Require.InRange(value, 1, 100_000, nameof(Sweeps)); } = 200;

    /// <summary>Sweeps end where no channel is scaled by more than this share. Default: 1e-6.</summary>
    public double Tolerance { get; init => field = Require.InRange(value, 0, 1, nameof(Tolerance)); } = 1e-6;

    /// <summary>
    /// What replacing Clip(0, c), such as Relu6, by Relu may cost, as |difference| / |output| of the float network on calibration data.
    /// Above it, and without data, every Clip stays and ends the pairs. Default: 0.01. 0 refuses all but exact replacements.
    /// </summary>
    public double LargestClipCost { get; init => field = Require.InRange(value, 0, 1e6, nameof(LargestClipCost)); } = 0.01;

    /// <summary>Calibration samples that the cost is measured on. Default: 128.</summary>
    public int Samples { get; init => field = Require.InRange(value, 1, int.MaxValue, nameof(Samples)); } = 128;

    internal override int SamplesNeeded => Samples;
}

/// <summary>Moves what of a bias lies above 0 nearly always into the next layer's bias: c = max(0, beta - Deviations * |gamma|).</summary>
/// <remarks>The same paper, section 4.1.3. Exact as long as the layer's result stays above c.</remarks>
public sealed record AbsorbBiases : ModelTransform
{
    /// <inheritdoc/>
    public override string Name => "absorb biases";

    /// <summary>Standard deviations of the normalized result that stay. Default: 3.</summary>
    public double Deviations { get; init => field = Require.InRange(value, 0, 100, nameof(Deviations)); } = 3;

    internal override int SamplesNeeded => 0;
}

/// <summary>Takes from each bias what rounding adds to the mean of the layer's result. Always the last transform.</summary>
/// <remarks>The same paper, sections 4.2 and appendix C and D.</remarks>
public sealed record CorrectBiases : ModelTransform
{
    /// <inheritdoc/>
    public override string Name => "correct biases";

    /// <summary>Where the means come from. Default: batch-norm statistics where they exist, data otherwise.</summary>
    public MeanSource Source { get; init; }

    /// <summary>Calibration samples for means from data. Default: 128.</summary>
    public int Samples { get; init => field = Require.InRange(value, 1, int.MaxValue, nameof(Samples)); } = 128;

    internal override int SamplesNeeded => Source == MeanSource.Statistics ? 0 : Samples;
}

/// <summary>Where the means of layer inputs come from.</summary>
public enum MeanSource
{
    /// <summary>Batch-norm statistics where they exist, data otherwise.</summary>
    StatisticsOrData,
    /// <summary>Batch-norm statistics only; layers without them are left.</summary>
    Statistics,
    /// <summary>Calibration data only.</summary>
    Data,
}
