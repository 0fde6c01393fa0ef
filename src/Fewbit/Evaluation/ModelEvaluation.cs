using Fewbit.Data;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Evaluation;

/// <summary>Two models on the same samples.</summary>
/// <param name="Samples">Samples run.</param>
/// <param name="Classification">Class scores compared; null where no output is of shape [N, classes].</param>
/// <param name="Outputs">Difference of each float32 output, by name.</param>
public sealed record EvaluationResult(long Samples, ClassificationResult? Classification, IReadOnlyDictionary<string, OutputDifference> Outputs);

/// <summary>Runs two models side by side.</summary>
public static class ModelEvaluation
{
    /// <summary>Compares a model with a reference on all batches.</summary>
    /// <param name="reference">The float model.</param>
    /// <param name="model">The model to judge: inputs and outputs of the same names.</param>
    /// <param name="batches">Inputs, with labels where there are some.</param>
    /// <param name="scores">Name of the output that holds class scores; null takes the first of shape [N, classes].</param>
    /// <param name="progress">Told the samples done after each batch.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="ArgumentException">There are no batches, or the models' outputs differ in name or shape.</exception>
    public static EvaluationResult Compare(
        IModelRunner reference, IModelRunner model, IEnumerable<SampleBatch> batches, string? scores = null, IProgress<long>? progress = null, CancellationToken cancellation = default)
    {
        CheckOutputs(reference, model);
        var outputs = reference.Outputs.Where(output => output.Type == ElementType.Float32).ToDictionary(output => output.Name, _ => new OutputDifference(), StringComparer.Ordinal);
        var classification = new PairedClassification();
        long samples = 0;
        foreach (SampleBatch batch in batches)
        {
            cancellation.ThrowIfCancellationRequested();
            IReadOnlyDictionary<string, Tensor> expected = reference.Run(batch.Inputs), actual = model.Run(batch.Inputs);
            foreach ((string name, OutputDifference difference) in outputs) difference.Add(Real(expected[name], batch), Real(actual[name], batch));
            if (samples == 0) scores ??= outputs.Keys.FirstOrDefault(name => IsScores(expected[name], batch));
            if (scores is not null) classification.Add(expected[scores], actual[scores], batch.Count, batch.Labels);
            samples += batch.Count;
            progress?.Report(samples);
        }
        if (samples == 0) throw new ArgumentException("there are no samples to evaluate on", nameof(batches));
        return new(samples, scores is null ? null : classification.Result, outputs);
    }

    /// <summary>The rows that are no padding.</summary>
    private static Tensor Real(Tensor output, SampleBatch batch) =>
        output.Rank > 0 && batch.Count < output.Shape[0] && batch.Inputs.Values.First().Shape[0] == output.Shape[0] ? output.Rows(0, batch.Count) : output;

    private static bool IsScores(Tensor output, SampleBatch batch) =>
        output.Rank >= 2 && output.Shape[1] > 1 && output.Shape.CountOf(2, output.Rank) == 1 && output.Shape[0] >= batch.Count;

    private static void CheckOutputs(IModelRunner reference, IModelRunner model)
    {
        foreach (ValueInfo output in reference.Outputs)
        {
            if (model.Outputs.All(other => other.Name != output.Name))
                throw new ArgumentException($"the model has no output {output}, which the reference has; it has {string.Join(", ", model.Outputs)}", nameof(model));
        }
    }
}
