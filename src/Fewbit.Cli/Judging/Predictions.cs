using Fewbit.Data;
using Fewbit.Evaluation;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Cli.Judging;

/// <summary>What a classifier says of samples.</summary>
/// <param name="Classes">Number of the model's classes.</param>
/// <param name="Top">The most likely class of each sample.</param>
/// <param name="MeanConfidence">Mean probability of the most likely class, scores scaled to one spread.</param>
internal sealed record Predictions(int Classes, IReadOnlyList<int> Top, double MeanConfidence)
{
    /// <summary>Share of labels that are ranked first.</summary>
    public double Top1(IReadOnlyList<int> labels) => (double)Top.Index().Count(item => item.Item == labels[item.Index]) / Top.Count;

    /// <summary>Runs a model on all batches; null where no output holds class scores.</summary>
    public static Predictions? Of(IModelRunner model, SampleBatches batches, IProgress<long>? progress, CancellationToken cancellation)
    {
        if (ScoresOf(model) is not { } scores) return null;
        var top = new List<int>();
        double confidence = 0;
        int classes = 0;
        foreach (SampleBatch batch in batches.Enumerate(cancellation))
        {
            Tensor output = model.Run(batch.Inputs, [scores])[scores];
            if (output.Rank < 2 || output.Shape[0] < batch.Count || output.Shape.CountOf(2, output.Rank) != 1) return null;
            classes = (int)output.Shape[1];
            for (int row = 0; row < batch.Count; row++)
            {
                ReadOnlySpan<float> values = output.Span<float>().Slice(row * classes, classes);
                top.Add(Scores.ArgMax(values));
                confidence += Confidence(values);
            }
            progress?.Report(top.Count);
        }
        return new(classes, top, confidence / top.Count);
    }

    /// <summary>The output that may hold class scores: the first of float32 whose shape is [N, classes].</summary>
    private static string? ScoresOf(IModelRunner model) => model.Outputs.FirstOrDefault(output =>
        output.Type == ElementType.Float32 && (output.Shape is not { } shape || shape.Rank >= 2 && shape[1] != 1 && shape.Skip(2).All(dim => dim.MayEqual(1))))?.Name;

    /// <summary>
    /// The highest probability after the scores are scaled to a standard deviation of 1: inputs that are far too large make plain probabilities extreme,
    /// whatever they show. (Of seven models with known preprocessing plain probabilities found three right, these all.)
    /// </summary>
    private static double Confidence(ReadOnlySpan<float> scores)
    {
        double[] logits = Logits(scores);
        double mean = logits.Average(), max = logits.Max();
        double deviation = Math.Max(Math.Sqrt(logits.Sum(logit => (logit - mean) * (logit - mean)) / logits.Length), 1e-20);
        return 1 / logits.Sum(logit => Math.Exp((logit - max) / deviation));
    }

    /// <summary>The scores, or the logarithms of probabilities.</summary>
    private static double[] Logits(ReadOnlySpan<float> scores)
    {
        var logits = new double[scores.Length];
        for (int i = 0; i < logits.Length; i++) logits[i] = scores[i];
        bool isProbability = logits.All(score => score is >= 0 and <= 1) && Math.Abs(logits.Sum() - 1) < 1e-3;
        return isProbability ? [.. logits.Select(score => Math.Log(score + 1e-12))] : logits;
    }
}
