using Fewbit.Tensors;

namespace Fewbit.Training;

/// <summary>Settings of a <see cref="Trainer"/>.</summary>
public sealed record TrainingOptions
{
    /// <summary>Passes over the data, 1 and up. Default 10.</summary>
    public int Epochs { get; init => field = Require.InRange(value, 1, 1_000_000, nameof(Epochs)); } = 10;

    /// <summary>Steps of an epoch, 1 and up; null for one pass over the data.</summary>
    public int? StepsPerEpoch { get; init => field = value is { } steps ? Require.InRange(steps, 1, int.MaxValue, nameof(StepsPerEpoch)) : null; }

    /// <summary>How gradients change the parameters. Default: SGD, rate 0.1, momentum 0.9.</summary>
    public OptimizerOptions Optimizer { get; init; } = new Sgd();

    /// <summary>The learning rate over time. Default: constant.</summary>
    public LearningRateSchedule Schedule { get; init; } = new ConstantSchedule();

    /// <summary>Parameters that learn in another way; each belongs to the first group that takes it.</summary>
    public IReadOnlyList<ParameterGroup> Groups { get; init; } = [];

    /// <summary>What is minimized. Default: cross-entropy.</summary>
    public LossOptions Loss { get; init; } = new();

    /// <summary>Largest norm of all gradients together: longer ones are scaled down; above 0. Null: no limit.</summary>
    public double? ClipNorm { get; init => field = value is { } norm ? Require.Positive(norm, nameof(ClipNorm)) : null; }

    /// <summary>Largest size of each element of a gradient, above 0. Null: no limit.</summary>
    public double? ClipValue { get; init => field = value is { } size ? Require.Positive(size, nameof(ClipValue)) : null; }

    /// <summary>Decay of a running average of the weights, 0 to below 1, such as 0.999; it is what is judged and saved. Null: no average.</summary>
    public double? AverageDecay { get; init => field = value is { } decay ? Require.InRange(decay, 0, 0.9999999, nameof(AverageDecay)) : null; }

    /// <summary>Whether batch normalizations keep using and never change their running statistics, as for fine-tuning on few samples.</summary>
    public bool FreezesBatchNorm { get; init; }

    /// <summary>Whether activations are computed again for the gradients instead of kept: less memory, up to a third more time, the same result.</summary>
    public bool RecomputesActivations { get; init; }

    /// <summary>Whether every step looks at every number and fails where NaN or infinity first appears, with a message that names the node. For debugging: a step takes several times as long, with the same result.</summary>
    public bool DetectsAnomalies { get; init; }

    /// <summary>Whether samples come mixed from two classes (mixup).</summary>
    public bool MixesSamples { get; init; }

    /// <summary>Whether the result is the model of the epoch that was best on the validation data; otherwise that of the last. Default: the last.</summary>
    public bool KeepsBest { get; init; }

    /// <summary>File that holds the state after each epoch and when training is stopped; null: none.</summary>
    public string? CheckpointPath { get; init; }

    /// <summary>Steps after which the state is written in the middle of an epoch too, 1 and up; null: at its end alone.</summary>
    public int? CheckpointSteps { get; init => field = value is { } steps ? Require.InRange(steps, 1, int.MaxValue, nameof(CheckpointSteps)) : null; }

    /// <summary>Whether training goes on from <see cref="CheckpointPath"/>: with the same model, data and options to the same bytes as if it had never stopped.</summary>
    public bool Resumes { get; init; }
}
