using Fewbit.Data;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Evaluation;

/// <summary>Two models on the same samples.</summary>
/// <param name="Samples">Samples run.</param>
/// <param name="Score">How good the model is beside the float model: by the metric asked for, else top-1 with labels, agreement without; null where no output holds class scores.</param>
/// <param name="Classification">Class scores compared; null where no output is of shape [N, classes].</param>
/// <param name="Outputs">Difference of each float32 output, by name.</param>
public sealed record EvaluationResult(long Samples, PairedScore? Score, ClassificationResult? Classification, IReadOnlyDictionary<string, OutputDifference> Outputs);

/// <summary>Judges models beside one float model on one set of samples. What the float model says is kept between models as far as memory is allowed.</summary>
/// <param name="reference">The float model.</param>
/// <param name="batches">Gives the inputs anew, in the same order, with labels where there are some.</param>
/// <param name="metric">Starts a metric for each model; null judges classifiers by labels or by agreement.</param>
/// <param name="cacheBytes">Bytes of the float model's outputs that may be kept; 0 where one model is judged.</param>
public sealed class PairedJudge(IModelRunner reference, Func<CancellationToken, IEnumerable<SampleBatch>> batches, Func<PairedMetric>? metric = null, long cacheBytes = 256L << 20)
{
    private readonly Dictionary<int, IReadOnlyDictionary<string, Tensor>> _known = [];
    private readonly string[] _names = [.. reference.Outputs.Where(output => output.Type == ElementType.Float32).Select(output => output.Name)];
    private long _kept;

    /// <summary>Runs a model on all samples.</summary>
    /// <param name="model">Inputs and outputs of the same names as the float model's.</param>
    /// <param name="progress">Told the samples done after each batch.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="ArgumentException">There are no samples, or the models' outputs differ in name or shape.</exception>
    public EvaluationResult Judge(IModelRunner model, IProgress<long>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        CheckOutputs(model);
        var outputs = _names.ToDictionary(name => name, _ => new OutputDifference(), StringComparer.Ordinal);
        var classification = new PairedClassification();
        PairedMetric? measured = metric?.Invoke();
        string? scores = null;
        long samples = 0;
        foreach (SampleBatch batch in batches(cancellation))
        {
            cancellation.ThrowIfCancellationRequested();
            IReadOnlyDictionary<string, Tensor> expected = Expected(batch), actual = model.Run(batch.Inputs);
            foreach ((string name, OutputDifference difference) in outputs) difference.Add(Real(expected[name], batch), Real(actual[name], batch));
            if (samples == 0) scores = _names.FirstOrDefault(name => IsScores(expected[name], batch));
            if (scores is not null) classification.Add(expected[scores], actual[scores], batch.Count, batch.Labels);
            measured?.Add(expected, actual, batch);
            samples += batch.Count;
            progress?.Report(samples);
        }
        if (samples == 0) throw new ArgumentException("there are no samples to evaluate on", nameof(model));
        ClassificationResult? classes = scores is null ? null : classification.Result;
        PairedScore? score = measured is not null ? measured.Result : classes is null ? null : classes.Labelled > 0 ? PairedScore.Top1(classes) : PairedScore.Agreement(classes);
        return new(samples, score, classes, outputs);
    }

    private IReadOnlyDictionary<string, Tensor> Expected(SampleBatch batch)
    {
        if (_known.TryGetValue(batch.First, out IReadOnlyDictionary<string, Tensor>? known)) return known;
        IReadOnlyDictionary<string, Tensor> outputs = reference.Run(batch.Inputs);
        long bytes = outputs.Values.Sum(output => output.ByteCount);
        if (_kept + bytes > cacheBytes) return outputs;
        _kept += bytes;
        return _known[batch.First] = outputs;
    }

    /// <summary>The rows that are no padding.</summary>
    private static Tensor Real(Tensor output, SampleBatch batch) =>
        output.Rank > 0 && batch.Count < output.Shape[0] && batch.Inputs.Values.First().Shape[0] == output.Shape[0] ? output.Rows(0, batch.Count) : output;

    /// <summary>True for [N, classes] in float32, or with further dimensions of length 1.</summary>
    internal static bool IsScores(Tensor output, SampleBatch batch) =>
        output.Type == ElementType.Float32 && output.Rank >= 2 && output.Shape[1] > 1 && output.Shape.CountOf(2, output.Rank) == 1 && output.Shape[0] >= batch.Count;

    private void CheckOutputs(IModelRunner model)
    {
        foreach (ValueInfo output in reference.Outputs)
        {
            if (model.Outputs.All(other => other.Name != output.Name))
                throw new ArgumentException($"the model has no output {output}, which the reference has; it has {string.Join(", ", model.Outputs)}", nameof(model));
        }
    }
}
