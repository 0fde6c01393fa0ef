using Fewbit.Tensors;

namespace Fewbit.Training;

/// <summary>The weights of the epoch that was best on the validation data.</summary>
/// <param name="Epoch">Its number, from 1.</param>
/// <param name="Metrics">How good it was.</param>
/// <param name="Weights">Copies of the model's weights, by name.</param>
internal sealed record BestWeights(int Epoch, TrainingMetrics Metrics, IReadOnlyDictionary<string, Tensor> Weights)
{
    /// <summary>Whether metrics are better than the best so far; equal ones are not.</summary>
    public static bool IsBetter(TrainingMetrics metrics, TrainingMetrics? best) =>
        best is null || (metrics.IsHigherBetter ? metrics.Headline > best.Headline : metrics.Headline < best.Headline);
}
