using Fewbit.Cli.Judging;
using Fewbit.Evaluation;
using Fewbit.Reports;

namespace Fewbit.Cli.Reports;

/// <summary>A judgement as the figures and the verdict of a page.</summary>
internal static class JudgementFigures
{
    public static ReportVerdict? Verdict(Judgement judgement)
    {
        if (judgement.Score is { IsOfClasses: false } score) return ReportVerdict.OfScore(score.Paired);
        if (judgement.Difference is { } difference) return ReportVerdict.OfAccuracy(difference, new(judgement.DifferenceLow!.Value, judgement.DifferenceHigh!.Value), judgement.McNemarP!.Value, judgement.Labelled);
        if (judgement.Agreement is { } agreement) return ReportVerdict.OfAgreement(agreement, judgement.Samples);
        return judgement.OutputSignalToNoise.Count == 0 ? null : ReportVerdict.OfOutputs(judgement.OutputSignalToNoise.Values.Min(), Words.Plural(judgement.Samples, "sample"));
    }

    public static IEnumerable<ReportFigure> Of(Judgement judgement)
    {
        if (judgement.Score is { IsOfClasses: false } score)
        {
            foreach (ReportFigure figure in EvaluationFigures.Of(score.Paired)) yield return figure;
            yield break;
        }
        if (judgement.Difference is { } difference)
        {
            Interval interval = new(judgement.DifferenceLow!.Value, judgement.DifferenceHigh!.Value);
            yield return new("top-1", FigureUnit.Share, EvaluationFigures.Share(judgement.FloatTop1!.Value, judgement.Labelled), EvaluationFigures.Share(judgement.Top1!.Value, judgement.Labelled), new(difference, interval),
                $"{ReportVerdict.P(judgement.McNemarP!.Value)} (McNemar's exact test), {Words.Plural(judgement.Labelled, "labelled sample")}");
            if (judgement.FloatTop5 < 1 || judgement.Top5 < 1)
                yield return new("top-5", FigureUnit.Share, EvaluationFigures.Share(judgement.FloatTop5!.Value, judgement.Labelled), EvaluationFigures.Share(judgement.Top5!.Value, judgement.Labelled));
        }
        if (judgement.Agreement is { } agreement) yield return EvaluationFigures.SameLabel(agreement, judgement.MeanKl!.Value, judgement.Samples);
        foreach ((string name, double noise) in judgement.OutputSignalToNoise) yield return EvaluationFigures.Output(name, noise);
    }
}
