using System.CommandLine;
using Fewbit.Cli.Console;
using Fewbit.Cli.Judging;
using Fewbit.Cli.Quantizing;
using Fewbit.Cli.Reports;
using Fewbit.Data;
using Fewbit.Evaluation;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Quantization;
using Fewbit.Runtime;

namespace Fewbit.Cli.Commands;

internal sealed record CompareSettings(string Float, string Model, string Data, int Samples, bool Sensitivity, string? Output, bool Overwrite, DataSettings Reading, CommonSettings Common, ReportSettings Report);

/// <summary>fewbit compare.</summary>
internal static class CompareCommand
{
    public static Command Create(CommonOptions common, CommandOutput output, CancellationToken cancellation)
    {
        var floatModel = new Argument<string>("float") { Description = "The float model." };
        var model = new Argument<string>("model") { Description = "The quantized model that was made from it." };
        var data = new Option<string>("--data", "-d") { Description = "Data to compare on.", Required = true, HelpName = "DIR|FILE" };
        var samples = new Option<int>("--samples") { Description = "Samples to compare on, drawn with the seed.", DefaultValueFactory = _ => 64, HelpName = "N" };
        var quick = new Option<bool>("--quick") { Description = "Leave out the sensitivity of each layer alone, which runs the model once a layer." };
        var target = new Option<string?>("--output", "-o") { Description = "Also write the report as JSON, for 'fewbit quantize --exclude-from'.", HelpName = "FILE" };
        var overwrite = new Option<bool>("--overwrite") { Description = "Replace the file if it is there." };
        var command = new Command("compare", "Shows where the error of a quantized model is, layer by layer.") { floatModel, model, data, samples, quick, target, overwrite };
        var reading = new DataOptions();
        reading.AddTo(command);
        var page = new ReportArguments();
        page.AddTo(command);
        command.SetAction(parsed => Run(new(parsed.GetRequiredValue(floatModel), parsed.GetRequiredValue(model), parsed.GetRequiredValue(data), parsed.GetValue(samples), !parsed.GetValue(quick),
            parsed.GetValue(target), parsed.GetValue(overwrite), reading.Read(parsed), common.Read(parsed), page.Read(parsed)), output, cancellation));
        HelpWithExamples.SetExamples(command,
            "fewbit compare model.onnx model.int8.onnx --data val/ -o compare.json",
            "fewbit quantize model.onnx --calibration train/ --exclude-from compare.json");
        return command;
    }

    public static int Run(CompareSettings settings, CommandOutput output, CancellationToken cancellation = default)
    {
        if (settings.Samples < 1) throw new UsageException($"--samples is {settings.Samples}, expected at least 1");
        if (settings.Output is not null) TargetFile.CheckWritable(settings.Output, null, settings.Overwrite);
        settings.Report.Check(settings.Overwrite, settings.Float, settings.Model, settings.Output);
        ComparisonReport report = Compare(settings, output, cancellation);
        settings.Report.Write(() => JudgingPages.Of(report, settings), output);
        if (settings.Output is { } path)
        {
            TargetFile.WriteText(path, report.ToJson());
            output.Written.Add(path);
        }
        if (settings.Common.Json) output.Json(report);
        else Write(report, settings, output);
        return CommandLine.Success;
    }

    private static ComparisonReport Compare(CompareSettings settings, CommandOutput output, CancellationToken cancellation)
    {
        Graph original = OnnxFile.Load(settings.Float), quantized = OnnxFile.Load(settings.Model);
        using ModelRunner model = Engines.Fewbit(original);
        DataSet data = SampleSelection.Draw(settings.Reading.Open(settings.Data, model.Inputs), settings.Samples, settings.Common.Seed);
        // The quantized model's metadata state what it was calibrated with.
        PreprocessingChoice preprocessing = PreprocessingChoice.Make(settings.Reading, quantized, model, data, output, cancellation);
        var batches = new SampleBatches(data, model.Inputs, preprocessing.Settings, settings.Reading.Batches);
        return output.WithProgress("comparing", 100, "%", progress =>
            ModelComparison.Compare(original, quantized, batches.Enumerate(cancellation), settings.Sensitivity, new Shares(progress, settings.Sensitivity), cancellation));
    }

    private static void Write(ComparisonReport report, CompareSettings settings, CommandOutput output)
    {
        output.Line($"Each quantized value against the float model, all error before it included, on {Words.Plural(report.Samples, "sample")}:");
        output.Table(["value", "node", "operator", ">SQNR dB", ">cosine"], report.Layers.Select(layer => (string[])
            [layer.Value, layer.Node, layer.OpType, Words.Digits(layer.SignalToNoise), layer.Cosine.ToString("F5", System.Globalization.CultureInfo.InvariantCulture)]));
        if (report.Sensitivity.Count > 0)
        {
            output.Line();
            output.Line("What quantizing one node alone does to the outputs, the most harmful first:");
            output.Table(["node", "operator", ">SQNR dB", ">labels flipped"], report.Sensitivity.Select(node => (string[])
                [node.Node, node.OpType, Words.Digits(node.SignalToNoise), node.LabelFlips is { } flips ? Words.Percent(flips) : ""]));
        }
        output.Line();
        output.Line($"outputs: SQNR {Words.Digits(report.SignalToNoise)} dB{(report.LabelFlips is { } all ? $", {Words.Percent(all)} of the labels flipped" : "")}");
        if (report.Exclude.Count == 0) return;
        output.Line($"To leave the most harmful nodes float: fewbit quantize {settings.Float} ... --exclude \"{string.Join(',', report.Exclude)}\"{(settings.Output is null ? "" : $", or --exclude-from {settings.Output}")}");
    }

    /// <summary>One bar for both stages; with sensitivities the layers are a small part of the work.</summary>
    private sealed class Shares(IProgress<long> progress, bool hasSensitivity) : IProgress<QuantizationProgress>
    {
        public void Report(QuantizationProgress value)
        {
            double done = value.Total is > 0 and var total ? 100.0 * value.Done / total : 0;
            bool isFirst = value.Stage == "comparing layers";
            progress.Report((long)(!hasSensitivity ? done : isFirst ? done / 10 : 10 + done * 0.9));
        }
    }
}
