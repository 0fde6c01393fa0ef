using Fewbit.Cli.Commands;
using Fewbit.Cli.Quantizing;
using Fewbit.Quantization;
using Fewbit.Reports;

namespace Fewbit.Cli.Reports;

/// <summary>The page of fewbit quantize.</summary>
internal static class QuantizePage
{
    public static HtmlReport Of(QuantizeReport report, QuantizeSettings settings)
    {
        QuantizationReport quantization = report.Quantization;
        return new()
        {
            Title = PageParts.Title(report.Model, report.Output),
            ModelLabel = report.Heading,
            Verdict = report.Promise is { } promise ? PromisePage.Verdict(promise) : JudgementFigures.Verdict(report.Judgement),
            Accuracy = [.. JudgementFigures.Of(report.Judgement)],
            Sizes = [.. PageParts.Sizes(report.Bytes, report.Options.Container == WeightContainer.Fast), new("memory", FigureUnit.Bytes, new(report.Memory.Float), new(report.Memory.Quantized), null, "parameters and values of one sample in Fewbit")],
            Times = [.. PageParts.Times(report.Speed)],
            Quantization = quantization,
            Comparison = report.Comparison,
            ComparedOn = report.Comparison is { } comparison ? $"{Words.Plural(comparison.Samples, "sample")} of those that judge, drawn with the seed" : "",
            Warnings = [.. report.FloatCheck.IsNearChance ? new[] { $"the float model itself is near chance on these data: top-1 {Words.Percent(report.FloatCheck.Top1!.Value)}" } : [], .. report.FloatCheck.LabelOrder is { } order ? new[] { order.Message } : []],
            Remarks = [.. new[] { report.SpeedRemark }.OfType<string>()],
            Tables = [.. report.Promise is { } searched ? new[] { PromisePage.Table(searched) } : [], .. PageParts.Units(quantization.Units), .. PageParts.Transforms(quantization.Transforms)],
            Command = settings.Report.Command,
            Settings =
            [
                new("model", report.Model), new("written", report.Output),
                new("weights", $"{report.WeightFormats()}, one scale per {QuantizeReport.Sharing(report.Options.WeightGranularity)}"),
                new("activations", report.Options.Activations?.Name ?? "float"),
                new("method", report.Promise is { } found ? $"--max-drop chose: {found.Best}" : report.Options.Method == RoundingMethod.Nearest ? "nearest code" : LearnedTable.Summary(report.Options, quantization)),
                .. quantization.Transforms.Select(transform => new ReportSetting("transform", transform.ToString())),
                new("calibration", $"{report.Calibration}; {Words.Time(report.CalibrationTime)}"), new("judging", report.Judging), .. report.DataRemark is { } remark ? new[] { new ReportSetting("", remark) } : [],
                new("preprocessing", report.Preprocessing.ToString()),
                new("check", report.Verification?.ToString() ?? "ONNX Runtime was not found: codes and labels are those of Fewbit alone"),
                .. PageParts.Place(settings.Common),
            ],
        };
    }

    public static HtmlReport Of(ModeReport report, QuantizeSettings settings) => new()
    {
        Title = PageParts.Title(report.Model, report.Output),
        ModelLabel = report.Mode,
        Verdict = report.Judgement is { } judgement ? JudgementFigures.Verdict(judgement) : report.Check?.SignalToNoise is { } noise ? ReportVerdict.OfOutputs(noise, "one seeded input, not on data") : null,
        Accuracy = report.Judgement is { } judged ? [.. JudgementFigures.Of(judged)] : [],
        Sizes = [.. PageParts.Sizes(report.Bytes, isPadded: false)],
        Times = [.. PageParts.Times(report.Speed)],
        Quantization = report.Quantization,
        Comparison = report.Comparison,
        ComparedOn = report.Judgement is null ? "one seeded input, not on data" : $"{Words.Plural(report.Comparison?.Samples ?? 0, "sample")} of those that judge, drawn with the seed",
        Remarks = [.. new[] { report.OpenSizes, report.Remark }.OfType<string>()],
        Command = settings.Report.Command,
        Settings =
        [
            new("model", report.Model), new("written", report.Output), new("mode", report.Mode), new("judging", report.Judging ?? "no data were given"),
            .. (report.Check is null ? [] : ModeReport.Checks(report.Check)).Select(check => new ReportSetting(check.Item1, check.Item2)),
            .. PageParts.Place(settings.Common),
        ],
    };
}
