using Fewbit.Cli.Commands;
using Fewbit.Evaluation;
using Fewbit.Reports;

namespace Fewbit.Cli.Reports;

/// <summary>The pages of fewbit evaluate and fewbit compare.</summary>
internal static class JudgingPages
{
    public static HtmlReport Of(EvaluateReport report, EvaluateSettings settings)
    {
        ReportFigure[] alone = report is { AgainstFloat: null, Top1: { } top1 } ? [new("top-1", FigureUnit.Share, null, new(top1, new(report.Top1Low!.Value, report.Top1High!.Value)), null, Words.Plural(report.Samples, "sample"))] : [];
        return new()
        {
            Title = report.Float is { } path ? PageParts.Title(path, report.Model) : Path.GetFileName(report.Model),
            Kind = "Evaluation report",
            ModelLabel = "model",
            Verdict = report.AgainstFloat is { } judgement ? JudgementFigures.Verdict(judgement) : report.Top1 is { } share
                ? new(VerdictLevel.Open, $"Top-1 is {Words.Percent(share)}", "There was no float model beside it to compare with: --float names one.") : null,
            Accuracy = report.AgainstFloat is { } judged ? [.. JudgementFigures.Of(judged)] : report.Score is { } score ? [new(score.Title, score.Paired.Metric.IsShare ? FigureUnit.Share : score.Unit == "dB" ? FigureUnit.Decibels : FigureUnit.Number, null, new(score.Value, score.Paired.ModelInterval), null, Words.Plural(score.Samples, "sample"))] : alone,
            Warnings = [.. new[] { report.LabelRemark }.OfType<string>()],
            Command = settings.Report.Command,
            Settings =
            [
                new("model", report.Model), .. report.Float is { } floatPath ? new[] { new ReportSetting("float model", floatPath) } : [], new("run by", report.Engine), new("data", report.Data),
                new("preprocessing", report.Preprocessing.ToString()), .. PageParts.Place(settings.Common),
            ],
        };
    }

    public static HtmlReport Of(ComparisonReport report, CompareSettings settings)
    {
        string samples = Words.Plural(report.Samples, "sample");
        return new()
        {
            Title = PageParts.Title(settings.Float, settings.Model),
            Kind = "Comparison of layers",
            Verdict = ReportVerdict.OfOutputs(report.SignalToNoise, samples),
            Accuracy =
            [
                .. report.LabelFlips is { } flips ? new[] { new ReportFigure("same label as float", FigureUnit.Share, null, EvaluationFigures.Share(1 - flips, report.Samples), null, $"of {samples}") } : [],
                new("outputs", FigureUnit.Decibels, null, new(report.SignalToNoise), null, "signal to quantization noise of all outputs together"),
            ],
            Comparison = report,
            ComparedOn = samples,
            Remarks = report.Exclude.Count == 0 ? [] : [$"To leave the most harmful nodes float: fewbit quantize {settings.Float} ... --exclude \"{string.Join(',', report.Exclude)}\""],
            Command = settings.Report.Command,
            Settings = [new("float model", settings.Float), new("model", settings.Model), new("data", settings.Data), .. PageParts.Place(settings.Common)],
        };
    }
}
