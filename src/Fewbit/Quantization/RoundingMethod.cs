using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>How the codes of weights, and the scales of activations, are chosen.</summary>
public enum RoundingMethod
{
    /// <summary>The nearest code; scales from ranges. Nothing is learned.</summary>
    Nearest,
    /// <summary>Learns for each weight whether to round up or down, one layer after the other. Nagel et al., 2020, arXiv:2004.10568.</summary>
    AdaRound,
    /// <summary>The same, one residual block after the other; then the scales of activations. Li et al., 2021, arXiv:2102.05426.</summary>
    Brecq,
    /// <summary>Blocks too, weights and scales together, with activation quantizers that leave out elements at random. Wei et al., 2022, arXiv:2203.05740.</summary>
    QDrop,
}

/// <summary>Which numbers a layer or block reads while its rounding is learned.</summary>
public enum UnitInput
{
    /// <summary>Those of the float network.</summary>
    FullPrecision,
    /// <summary>Those of the network whose earlier layers are quantized.</summary>
    QuantizedPrefix,
    /// <summary>Each number at random one or the other, as QDrop does.</summary>
    RandomMix,
}

/// <summary>What the result of a layer or block is compared by while its rounding is learned.</summary>
public enum LearningObjective
{
    /// <summary>|output - float output| to a power.</summary>
    OutputError,
    /// <summary>The square, weighted by the squared gradient of the network's loss: the diagonal of the Fisher information, as BRECQ's paper has it.</summary>
    DiagonalFisher,
    /// <summary>The full Fisher matrix of a sample, of rank 1.</summary>
    FullFisher,
}

/// <summary>Settings of a <see cref="RoundingMethod"/> that learns.</summary>
public sealed record LearningOptions
{
    /// <summary>Steps of each layer or block, 0 to 10,000,000. Null, the default: 10,000 for AdaRound, 20,000 for BRECQ and QDrop, as in the papers.</summary>
    public int? Iterations { get; init => field = value is { } count ? Require.InRange(count, 0, 10_000_000, nameof(Iterations)) : null; }

    /// <summary>Steps of each block in the second pass of AdaRound and BRECQ, which learns the scales of activations. Null, the default: a quarter of <see cref="Iterations"/>.</summary>
    public int? ActivationIterations { get; init => field = value is { } count ? Require.InRange(count, 0, 10_000_000, nameof(ActivationIterations)) : null; }

    /// <summary>
    /// Weight of the term that drives each rounding to one code, against the error of the output; 0 to 1,000,000. Null, the default: 0.01, as in the papers,
    /// which take 0.1 for MobileNetV2 and 0.2 for MNASNet.
    /// </summary>
    public double? RoundingWeight { get; init => field = value is { } weight ? Require.InRange(weight, 0, 1e6, nameof(RoundingWeight)) : null; }

    /// <summary>What layers and blocks read while their rounding is learned. Null, the default: as the method's paper has it.</summary>
    public UnitInput? UnitInput { get; init; }

    /// <summary>For <see cref="UnitInput.RandomMix"/>: probability of a number from the quantized network. Default: 0.5.</summary>
    public double MixProbability { get; init => field = Require.InRange(value, 0, 1, nameof(MixProbability)); } = 0.5;

    /// <summary>What their results are compared by. Null, the default: as the method's published code has it.</summary>
    public LearningObjective? Objective { get; init; }

    /// <summary>For <see cref="LearningObjective.OutputError"/>: the power, 1 to 10. Default: 2.</summary>
    public double ObjectivePower { get; init => field = Require.InRange(value, 1, 10, nameof(ObjectivePower)); } = 2;

    /// <summary>Seed of everything random. The same seed gives the same bytes on the same processor, at any number of threads, unless there is a time budget.</summary>
    public ulong Seed { get; init; }

    /// <summary>Time for all learning; each layer and block then takes the same share of the steps asked for, whatever a step of it costs. Null, the default: no limit.</summary>
    public TimeSpan? TimeBudget { get; init => field = value is { } time ? new TimeSpan(Require.InRange(time.Ticks, 1, long.MaxValue, nameof(TimeBudget))) : null; }

    /// <summary>
    /// Steps of single layers and blocks, 1 to 10,000,000, by <see cref="Reconstruction.UnitReport.Key"/>: with those that a report states, a run under a time budget can be repeated
    /// to the same bytes. Others take the steps asked for, or what the budget leaves them. Null, the default: none.
    /// </summary>
    public IReadOnlyDictionary<string, int>? StepsByUnit
    {
        get;
        init
        {
            foreach ((string unit, int steps) in value ?? new Dictionary<string, int>()) Require.InRange(steps, 1, 10_000_000, $"{nameof(StepsByUnit)}['{unit}']");
            field = value;
        }
    }

    /// <summary>Samples of a step, 1 to 65,536. Null, the default: 32, as in the papers' codes.</summary>
    public int? BatchSize { get; init => field = value is { } size ? Require.InRange(size, 1, 65_536, nameof(BatchSize)) : null; }

    /// <summary>Adam's rate for the variables of the rounding, 0 to 1. Null, the default: 0.001, as in the papers' codes. Few steps decide more at a higher rate.</summary>
    public double? RoundingRate { get; init => field = value is { } rate ? Require.InRange(rate, 0, 1, nameof(RoundingRate)) : null; }

    /// <summary>
    /// Adam's rate for the scales of activations, 0 to 1; it falls to 0 along half a cosine. Null, the default: 0.0004 for AdaRound and BRECQ, 0.00004 for QDrop.
    /// 0 leaves them as the range search found them.
    /// </summary>
    public double? ScaleRate { get; init => field = value is { } rate ? Require.InRange(rate, 0, 1, nameof(ScaleRate)) : null; }

    /// <summary>
    /// QDrop: that an element of an activation, at the input of a block or inside, stays float in a step, 0 to 1. Null, the default: 0.5. 0 learns on what is quantized
    /// throughout, 1 learns weights on float activations.
    /// </summary>
    public double? DropProbability { get; init => field = value is { } probability ? Require.InRange(probability, 0, 1, nameof(DropProbability)) : null; }

    /// <summary>File that keeps unfinished work once a minute and when stopped; a run that finds it goes on from it to the same bytes. Null, the default: none.</summary>
    public string? Checkpoint { get; init; }

    /// <summary>Time between two writings of the checkpoint. Default: a minute.</summary>
    public TimeSpan CheckpointInterval { get; init; } = TimeSpan.FromMinutes(1);
}
