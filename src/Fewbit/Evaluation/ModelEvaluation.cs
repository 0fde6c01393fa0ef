using Fewbit.Data;
using Fewbit.Graphs;

namespace Fewbit.Evaluation;

/// <summary>Runs two models side by side.</summary>
public static class ModelEvaluation
{
    /// <summary>Compares a model with a reference on all batches.</summary>
    /// <param name="reference">The float model.</param>
    /// <param name="model">The model to judge: inputs and outputs of the same names.</param>
    /// <param name="batches">Inputs, with labels where there are some.</param>
    /// <param name="metric">What is measured; null judges classifiers by labels or by agreement.</param>
    /// <param name="progress">Told the samples done after each batch.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="ArgumentException">There are no batches, or the models' outputs differ in name or shape.</exception>
    public static EvaluationResult Compare(
        IModelRunner reference, IModelRunner model, IEnumerable<SampleBatch> batches, PairedMetric? metric = null, IProgress<long>? progress = null, CancellationToken cancellation = default) =>
        new PairedJudge(reference, _ => batches, metric is null ? null : () => metric, cacheBytes: 0).Judge(model, progress, cancellation);
}
