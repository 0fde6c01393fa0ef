using Fewbit.Evaluation;

namespace Fewbit.Reports;

/// <summary>An evaluation as figures and a verdict.</summary>
internal static class EvaluationFigures
{
    public static ReportVerdict? Verdict(EvaluationResult evaluation)
    {
        if (evaluation.Score is { } score && !IsOfClasses(score)) return ReportVerdict.OfScore(score);
        if (evaluation.Classification is { Labelled: > 0 } labelled) return ReportVerdict.OfAccuracy(labelled.Difference, labelled.DifferenceInterval!.Value, labelled.P!.Value, labelled.Labelled);
        if (evaluation.Classification is { } scores) return ReportVerdict.OfAgreement(scores.Agreement, scores.Samples);
        return evaluation.Outputs.Count == 0 ? null : ReportVerdict.OfOutputs(evaluation.Outputs.Values.Min(output => output.SignalToNoise), Words.Plural(evaluation.Samples, "sample"));
    }

    public static IEnumerable<ReportFigure> Of(EvaluationResult evaluation)
    {
        if (evaluation.Score is { } score && !IsOfClasses(score))
        {
            foreach (ReportFigure figure in Of(score)) yield return figure;
            yield break;
        }
        if (evaluation.Classification is { } scores)
        {
            if (scores.Labelled > 0)
            {
                yield return new("top-1", FigureUnit.Share, Share(scores.ReferenceTop1, scores.Labelled), Share(scores.Top1, scores.Labelled), new(scores.Difference, scores.DifferenceInterval), $"{ReportVerdict.P(scores.P!.Value)} (McNemar's exact test)");
                if (scores.ReferenceTop5 < 1 || scores.Top5 < 1) yield return new("top-5", FigureUnit.Share, Share(scores.ReferenceTop5, scores.Labelled), Share(scores.Top5, scores.Labelled));
            }
            yield return SameLabel(scores.Agreement, scores.MeanKl, scores.Samples);
        }
        foreach ((string name, OutputDifference difference) in evaluation.Outputs) yield return Output(name, difference.SignalToNoise);
    }

    /// <summary>The value of a metric and what it gives beside it.</summary>
    public static IEnumerable<ReportFigure> Of(PairedScore score)
    {
        yield return new(score.Metric.Title, UnitOf(score.Metric), new(score.Reference), new(score.Model, score.ModelInterval), new(score.Difference, score.Interval), Words.Plural(score.Samples, "sample"));
        foreach (ScoreDetail detail in score.Details)
            yield return new(detail.Name, detail.Unit == "dB" ? FigureUnit.Decibels : FigureUnit.Number, detail.Reference is { } reference ? new(reference) : null, new(detail.Model), null, detail.Unit == "dB" ? "" : detail.Unit);
    }

    private static FigureUnit UnitOf(Metric metric) => metric.IsShare ? FigureUnit.Share : metric.Unit == "dB" ? FigureUnit.Decibels : FigureUnit.Number;

    private static bool IsOfClasses(PairedScore score) => score.Metric == Metric.Top1 || score.Metric == Metric.Agreement;

    /// <summary>A share of samples with the score interval.</summary>
    public static Measured Share(double share, long samples) => new(share, PairedStatistics.OfProportion((long)Math.Round(share * samples), samples));

    public static ReportFigure SameLabel(double agreement, double meanKl, long samples) =>
        new("same label as float", FigureUnit.Share, null, Share(agreement, samples), null, $"of {Words.Plural(samples, "sample")}; mean KL divergence {Words.Digits(meanKl * 1000)} millinats");

    public static ReportFigure Output(string name, double decibels) => new($"output '{name}'", FigureUnit.Decibels, null, new(decibels), null, "signal to quantization noise");
}
