using System.CommandLine;
using Fewbit.Cli.Console;
using Fewbit.Cli.Judging;
using Fewbit.Cli.Reports;
using Fewbit.Data;
using Fewbit.Evaluation;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Tensors;

namespace Fewbit.Cli.Commands;

internal sealed record EvaluateSettings(string Model, string Data, string? Float, bool InOnnxRuntime, MetricSettings Metric, DataSettings Reading, CommonSettings Common, ReportSettings Report, bool Overwrite);

/// <summary>Accuracy of a model.</summary>
/// <param name="Model">Its file.</param>
/// <param name="Float">The float model beside it; null if there is none.</param>
/// <param name="Engine">What ran it.</param>
/// <param name="Data">What it was judged on.</param>
/// <param name="Preprocessing">From picture to input.</param>
/// <param name="Samples">Samples judged.</param>
/// <param name="Top1">Share of labels ranked first; null without labels.</param>
/// <param name="Top1Low">Lower end of its 95 % interval.</param>
/// <param name="Top1High">Upper end of its 95 % interval.</param>
/// <param name="LabelRemark">What looks wrong with the labels; null if nothing.</param>
/// <param name="AgainstFloat">Compared with the float model.</param>
/// <param name="Score">The metric's value without a float model; null with one, and for class scores.</param>
internal sealed record EvaluateReport(
    string Model, string? Float, string Engine, string Data, PreprocessingChoice Preprocessing, long Samples, double? Top1, double? Top1Low, double? Top1High,
    string? LabelRemark, Judgement? AgainstFloat, JudgedScore? Score = null);

/// <summary>fewbit evaluate.</summary>
internal static class EvaluateCommand
{
    public static Command Create(CommonOptions common, CommandOutput output, CancellationToken cancellation)
    {
        var model = new Argument<string>("model") { Description = "ONNX model to judge." };
        var data = new Option<string>("--data", "-d") { Description = "Data to judge on: a folder of pictures, CIFAR-10 batches, CSV, IDX, .npy, .npz, text or token numbers (.bin).", Required = true, HelpName = "DIR|FILE" };
        var floatModel = new Option<string?>("--float") { Description = "Float model to compare with. Default: model.onnx beside model.int8.onnx.", HelpName = "FILE" };
        Option<string> engine = new Option<string>("--engine") { Description = "What runs the models: fewbit or onnxruntime.", DefaultValueFactory = _ => "fewbit" }.AcceptOnlyFromAmong("fewbit", "onnxruntime");
        var command = new Command("evaluate", "Measures how good a model is, with its interval and the float model beside it.") { model, data, floatModel, engine };
        var metric = new MetricArguments();
        metric.AddTo(command);
        var reading = new DataOptions();
        reading.AddTo(command);
        var page = new ReportArguments();
        page.AddTo(command);
        var overwrite = new Option<bool>("--overwrite") { Description = "Replace the report if it is there." };
        command.Options.Add(overwrite);
        command.SetAction(parsed => Run(new(parsed.GetRequiredValue(model), parsed.GetRequiredValue(data), parsed.GetValue(floatModel), parsed.GetValue(engine) == "onnxruntime",
            metric.Read(parsed), reading.Read(parsed), common.Read(parsed), page.Read(parsed), parsed.GetValue(overwrite)), output, cancellation));
        HelpWithExamples.SetExamples(command, "fewbit evaluate model.int8.onnx --data val/", "fewbit evaluate small.onnx --float model.onnx --data test.npz --engine onnxruntime",
            "fewbit evaluate sr.int8.onnx --metric psnr --data LRx4/ --reference HR/", "fewbit evaluate language.int8.onnx --metric perplexity --data test.txt --vocabulary vocab.json",
            "fewbit evaluate detector.int8.onnx --metric map-vs-float --data pictures/ --float detector.onnx");
        return command;
    }

    public static int Run(EvaluateSettings settings, CommandOutput output, CancellationToken cancellation = default)
    {
        settings.Report.Check(settings.Overwrite, settings.Model, settings.Float);
        EvaluateReport report = Evaluate(settings, output, cancellation);
        settings.Report.Write(() => JudgingPages.Of(report, settings), output);
        if (settings.Common.Json) output.Json(report);
        else Write(report, output);
        return CommandLine.Success;
    }

    /// <summary>model.onnx for model.int8.onnx where it is there.</summary>
    internal static string? FloatBeside(string model)
    {
        string name = Path.GetFileNameWithoutExtension(model), format = Path.GetExtension(name);
        if (!format.StartsWith(".int", StringComparison.Ordinal) && !format.StartsWith(".uint", StringComparison.Ordinal)) return null;
        string path = Path.Combine(Path.GetDirectoryName(model) ?? "", Path.ChangeExtension(name, ".onnx"));
        return File.Exists(path) ? path : null;
    }

    private static EvaluateReport Evaluate(EvaluateSettings settings, CommandOutput output, CancellationToken cancellation)
    {
        Graph graph = OnnxFile.Load(settings.Model);
        string? floatPath = settings.Float ?? FloatBeside(settings.Model);
        Graph? floatGraph = floatPath is null ? null : OnnxFile.Load(floatPath);
        OnnxRuntimeLibrary? library = settings.InOnnxRuntime ? OnnxRuntimeLibrary.Open(settings.Common.FindOnnxRuntime()) : null;
        using IModelRunner model = Open(graph, library, settings.Common);
        DataSet data = settings.Reading.Open(settings.Data, model.Inputs);
        DataSet few = SampleSelection.Draw(data, PreprocessingChoice.TrialSamples, settings.Common.Seed);
        PreprocessingChoice preprocessing = PreprocessingChoice.Make(settings.Reading, graph, model, few, output, cancellation);
        var report = new EvaluateReport(settings.Model, floatPath, library is null ? "Fewbit" : $"ONNX Runtime {library.Version}", data.Description, preprocessing, data.Count,
            null, null, null, FloatCheck.Of(few.Labels is null ? null : PreprocessingTrial.Try(model, few, preprocessing.Settings, cancellation), few).LabelOrder?.Message, null);
        var batches = new SampleBatches(data, model.Inputs, preprocessing.Settings, settings.Reading.Batches);
        Func<PairedMetric>? metric = settings.Metric.Choose(model, data);
        if (floatGraph is not null)
        {
            using IModelRunner reference = Open(floatGraph, library, settings.Common);
            EvaluationResult result = output.WithProgress("judging", data.Count, "samples", progress => new PairedJudge(reference, batches.Enumerate, metric, cacheBytes: 0).Judge(model, progress, cancellation));
            var judgement = Judgement.Of(result, settings.Metric.ScoreOf(result));
            return WithAccuracy(report with { AgainstFloat = judgement }, judgement.Top1);
        }
        if (metric?.Invoke() is { } alone) return report with { Score = new(Alone(model, batches, alone, data.Count, output, cancellation)) };
        if (settings.Metric.Name == Metric.Agreement.Name) throw new InvalidDataException("--metric agreement compares with the float model; give it with --float");
        if (data.Labels is not { } labels) throw new InvalidDataException($"{settings.Data}: there are no labels to judge '{settings.Model}' by; give them, or the float model with --float");
        Predictions predictions = output.WithProgress("evaluating", data.Count, "samples", progress => Predictions.Of(model, batches, progress, cancellation))
            ?? throw new InvalidDataException($"{settings.Model}: has no class scores to judge by; give the float model with --float");
        return WithAccuracy(report with { LabelRemark = LabelOrder.Detect(predictions.Top, labels, predictions.Classes, data.ClassNames)?.Message }, predictions.Top1(labels));
    }

    private static PairedScore Alone(IModelRunner model, SampleBatches batches, PairedMetric metric, int count, CommandOutput output, CancellationToken cancellation)
    {
        if (metric.Metric == Metric.MapVsFloat) throw new InvalidDataException("map-vs-float compares with the boxes of the float model; give it with --float");
        return output.WithProgress("evaluating", count, "samples", progress =>
        {
            long done = 0;
            foreach (SampleBatch batch in batches.Enumerate(cancellation))
            {
                IReadOnlyDictionary<string, Tensor> outputs = model.Run(batch.Inputs);
                metric.Add(outputs, outputs, batch);
                progress.Report(done += batch.Count);
            }
            return metric.Result;
        });
    }

    private static EvaluateReport WithAccuracy(EvaluateReport report, double? top1)
    {
        if (top1 is not { } share) return report;
        Interval interval = PairedStatistics.OfProportion((long)Math.Round(share * report.Samples), report.Samples);
        return report with { Top1 = share, Top1Low = interval.Low, Top1High = interval.High };
    }

    private static IModelRunner Open(Graph graph, OnnxRuntimeLibrary? library, CommonSettings common) =>
        library is null ? Engines.Fewbit(graph) : Engines.OnnxRuntime(library, graph, common.Threads);

    private static void Write(EvaluateReport report, CommandOutput output)
    {
        output.Fields(
        [
            ("model", $"{report.Model}, run by {report.Engine}"),
            .. report.Float is { } path ? new[] { ("float model", path) } : [],
            ("data", report.Data),
            ("preprocessing", report.Preprocessing.ToString()),
            .. report.Top1 is { } top1 ? new[] { ("top-1", $"{Words.Percent(top1, 2)} (95 %: {Words.Percent(report.Top1Low!.Value, 2)} to {Words.Percent(report.Top1High!.Value, 2)})") } : [],
            .. report.Score is { } score ? new[] { (score.Title, score.ValueText()) } : [],
            .. report.LabelRemark is { } remark ? new[] { ("labels", remark) } : [],
        ]);
        if (report.AgainstFloat is not { } judgement) return;
        output.Line();
        output.Table(["", ">float", ">model", ""], judgement.Rows());
    }
}
