using System.Globalization;
using Fewbit.Evaluation;

namespace Fewbit.Cli.Judging;

/// <summary>A model beside its float model on the same samples.</summary>
/// <param name="Samples">Samples judged.</param>
/// <param name="Labelled">Samples with a label.</param>
/// <param name="FloatTop1">Share of labels that the float model ranks first; null without labels.</param>
/// <param name="Top1">Share of labels that the model ranks first; null without labels.</param>
/// <param name="FloatTop5">Share of labels among the float model's first five.</param>
/// <param name="Top5">Share of labels among the model's first five.</param>
/// <param name="Difference">Top-1 minus the float model's.</param>
/// <param name="DifferenceLow">Lower end of its 95 % interval.</param>
/// <param name="DifferenceHigh">Upper end of its 95 % interval.</param>
/// <param name="McNemarP">McNemar's exact p.</param>
/// <param name="Agreement">Share of samples on which both rank the same class first; null where no output has class scores.</param>
/// <param name="MeanKl">Mean Kullback-Leibler divergence of the class probabilities, in nats.</param>
/// <param name="OutputSignalToNoise">Of each float32 output, in decibels.</param>
/// <param name="Score">The value of the metric; null where neither metric nor class scores are at hand.</param>
internal sealed record Judgement(
    long Samples, long Labelled, double? FloatTop1, double? Top1, double? FloatTop5, double? Top5, double? Difference, double? DifferenceLow, double? DifferenceHigh, double? McNemarP,
    double? Agreement, double? MeanKl, IReadOnlyDictionary<string, double> OutputSignalToNoise, JudgedScore? Score)
{
    public static Judgement Of(EvaluationResult result) => Of(result, result.Score);

    /// <param name="result">Both models compared.</param>
    /// <param name="chosen">The score asked for.</param>
    public static Judgement Of(EvaluationResult result, PairedScore? chosen)
    {
        JudgedScore? score = chosen is null ? null : new(chosen);
        var noise = result.Outputs.ToDictionary(pair => pair.Key, pair => pair.Value.SignalToNoise, StringComparer.Ordinal);
        if (result.Classification is not { } scores) return new(result.Samples, 0, null, null, null, null, null, null, null, null, null, null, noise, score);
        if (scores.Labelled == 0) return new(result.Samples, 0, null, null, null, null, null, null, null, null, scores.Agreement, scores.MeanKl, noise, score);
        Interval interval = scores.DifferenceInterval!.Value;
        return new(result.Samples, scores.Labelled, scores.ReferenceTop1, scores.Top1, scores.ReferenceTop5, scores.Top5, scores.Difference, interval.Low, interval.High, scores.P,
            scores.Agreement, scores.MeanKl, noise, score);
    }

    /// <summary>The rows of a table: what, float, model, change.</summary>
    public IEnumerable<IReadOnlyList<string>> Rows()
    {
        if (Score is { IsOfClasses: false })
        {
            foreach (IReadOnlyList<string> row in Score.Rows()) yield return row;
            yield break;
        }
        if (Top1 is { } top1)
        {
            yield return ["top-1", Words.Percent(FloatTop1!.Value, 2), Words.Percent(top1, 2), Change()];
            if (FloatTop5 < 1 || Top5 < 1) yield return ["top-5", Words.Percent(FloatTop5!.Value, 2), Words.Percent(Top5!.Value, 2), $"{Words.Points(Top5.Value - FloatTop5.Value, 2)} points"];
        }
        if (Agreement is { } agreement) yield return ["same label", "", Words.Percent(agreement, 2), $"of {Words.Plural(Samples, "sample")}; mean KL divergence {Words.Digits(MeanKl!.Value * 1000)} millinats"];
        foreach ((string name, double noise) in OutputSignalToNoise)
        {
            if (Agreement is null || OutputSignalToNoise.Count > 1) yield return [$"output '{name}'", "", $"{Words.Digits(noise)} dB", "signal to quantization noise"];
        }
    }

    /// <summary>-0.12 points (95 %: -0.51 to +0.27), p = 0.75: not distinguishable on 846 samples.</summary>
    public string Change()
    {
        string p = McNemarP < 0.001 ? "p < 0.001" : string.Create(CultureInfo.InvariantCulture, $"p = {McNemarP:0.###}");
        string verdict = McNemarP >= 0.05 ? $": not distinguishable on {Words.Plural(Labelled, "sample")}" : "";
        return $"{Words.Points(Difference!.Value, 2)} points (95 %: {Words.Points(DifferenceLow!.Value, 2)} to {Words.Points(DifferenceHigh!.Value, 2)}), {p}{verdict}";
    }
}
