using Fewbit.Data;
using Fewbit.Evaluation;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Promises;

/// <summary>The float model's class scores for a part of the data: computed once, then compared with those of each candidate.</summary>
internal sealed class AnswerKey
{
    private readonly IEnumerable<SampleBatch> _batches;
    private readonly string _scores;
    private readonly List<Tensor> _expected;

    private AnswerKey(IEnumerable<SampleBatch> batches, string scores, List<Tensor> expected, ClassificationResult itself) =>
        (_batches, _scores, _expected, Count, Top1) = (batches, scores, expected, itself.Samples, itself.Labelled == itself.Samples ? itself.Top1 : null);

    /// <summary>Samples.</summary>
    public long Count { get; }

    /// <summary>Share of labels that the float model ranks first; null without labels.</summary>
    public double? Top1 { get; }

    /// <summary>What a promise is about: agreement without labels, and where float is right on more than 98 %.</summary>
    public PromiseMeasure Measure => Top1 is null or > 0.98 ? PromiseMeasure.Agreement : PromiseMeasure.Top1;

    /// <exception cref="InvalidDataException">The model has no class scores, or there are no samples.</exception>
    public static AnswerKey Of(IModelRunner model, IEnumerable<SampleBatch> batches, CancellationToken cancellation)
    {
        string? scores = null;
        var expected = new List<Tensor>();
        var itself = new PairedClassification();
        foreach (SampleBatch batch in batches)
        {
            cancellation.ThrowIfCancellationRequested();
            IReadOnlyDictionary<string, Tensor> outputs = model.Run(batch.Inputs);
            scores ??= model.Outputs.FirstOrDefault(output => PairedJudge.IsScores(outputs[output.Name], batch))?.Name
                ?? throw new InvalidDataException($"no output holds class scores of shape [N, classes], by which a promise is judged; the model has {string.Join(", ", model.Outputs)}");
            expected.Add(outputs[scores].Copy());
            itself.Add(outputs[scores], outputs[scores], batch.Count, batch.Labels);
        }
        return scores is null ? throw new InvalidDataException("there are no samples to judge a promise on") : new(batches, scores, expected, itself.Result);
    }

    /// <summary>Runs another model on the same samples.</summary>
    public PairedOutcome Compare(IModelRunner model, PromiseMeasure measure, CancellationToken cancellation)
    {
        var paired = new PairedClassification();
        foreach ((SampleBatch batch, Tensor expected) in _batches.Zip(_expected))
        {
            cancellation.ThrowIfCancellationRequested();
            paired.Add(expected, model.Run(batch.Inputs, [_scores])[_scores], batch.Count, batch.Labels);
        }
        ClassificationResult result = paired.Result;
        return measure == PromiseMeasure.Top1 ? new(measure, result.Lost, result.Gained, result.Labelled, result.MeanKl)
            : new(measure, result.Disagreements, 0, result.Samples, result.MeanKl);
    }
}
