using Fewbit.Graphs;

namespace Fewbit.Training;

/// <summary>Where training is, after a step.</summary>
/// <param name="Epoch">The epoch, from 1.</param>
/// <param name="Epochs">Epochs in all.</param>
/// <param name="Step">Steps done.</param>
/// <param name="Steps">Steps in all.</param>
/// <param name="Loss">Mean loss of the epoch so far.</param>
/// <param name="LearningRate">Rate of the step.</param>
public sealed record TrainingProgress(int Epoch, int Epochs, long Step, long Steps, double Loss, double LearningRate)
{
    /// <summary>The epoch that has just ended and been judged; null while one runs.</summary>
    public EpochReport? Ended { get; init; }
}

/// <summary>What an epoch brought.</summary>
/// <param name="Epoch">Its number, from 1.</param>
/// <param name="Steps">Steps done at its end.</param>
/// <param name="Loss">Mean loss of its steps.</param>
/// <param name="LearningRate">Rate of its last step.</param>
/// <param name="Validation">Metrics on the validation data; null without.</param>
public sealed record EpochReport(int Epoch, long Steps, double Loss, double LearningRate, TrainingMetrics? Validation)
{
    /// <summary>Seconds of its steps, without the validation. Not kept by a checkpoint.</summary>
    public double Seconds { get; init; }
}

/// <summary>What training brought.</summary>
/// <param name="Model">The model to keep: of the last epoch, or of the best (<see cref="TrainingOptions.KeepsBest"/>).</param>
/// <param name="Epochs">All epochs.</param>
/// <param name="BestEpoch">The epoch that <paramref name="Model"/> is of, from 1.</param>
public sealed record TrainingResult(Graph Model, IReadOnlyList<EpochReport> Epochs, int BestEpoch);
