using System.CommandLine;
using System.Globalization;
using Fewbit.Cli.Console;
using Fewbit.Cli.Inspection;
using Fewbit.Cli.Timing;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Targets;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Cli.Commands;

internal sealed record BenchmarkSettings(string Model, string? Float, int Batch, string? Shape, CommonSettings Common);

/// <summary>Times of a model, and what became of its QDQ pairs.</summary>
internal sealed record BenchmarkReport(string Model, string? Float, IReadOnlyList<string> Inputs, int Batch, int Threads, IReadOnlyList<EngineSpeed> Speed, IReadOnlyList<FusionTable> Fusion, string? OnnxRuntimeRemark);

/// <summary>fewbit benchmark.</summary>
internal static class BenchmarkCommand
{
    public static Command Create(CommonOptions common, CommandOutput output, CancellationToken cancellation)
    {
        var model = new Argument<string>("model") { Description = "ONNX model to time, float or quantized." };
        var floatModel = new Option<string?>("--float") { Description = "Float model to time beside it. Default: model.onnx beside model.int8.onnx.", HelpName = "FILE" };
        var batch = new Option<int>("--batch") { Description = "Samples a run.", DefaultValueFactory = _ => 1, HelpName = "N" };
        var shape = new Option<string?>("--shape") { Description = "Input shape where the model leaves it open, such as 1,3,224,224.", HelpName = "N,C,H,W" };
        var command = new Command("benchmark", "Times a model in Fewbit and, where it is found, in ONNX Runtime, and lists which QDQ pairs run in integers.") { model, floatModel, batch, shape };
        command.SetAction(parsed => Run(new(parsed.GetRequiredValue(model), parsed.GetValue(floatModel), parsed.GetValue(batch), parsed.GetValue(shape), common.Read(parsed)), output, cancellation));
        HelpWithExamples.SetExamples(command, "fewbit benchmark model.int8.onnx", "fewbit benchmark model.onnx --batch 32 --threads 1 --ort ~/onnxruntime/lib");
        return command;
    }

    public static int Run(BenchmarkSettings settings, CommandOutput output, CancellationToken cancellation = default)
    {
        if (settings.Batch is < 1 or > 65536) throw new UsageException($"--batch is {settings.Batch}, expected 1 to 65536");
        BenchmarkReport report = Measure(settings, output, cancellation);
        if (settings.Common.Json) output.Json(report);
        else Write(report, output);
        return CommandLine.Success;
    }

    private static BenchmarkReport Measure(BenchmarkSettings settings, CommandOutput output, CancellationToken cancellation)
    {
        Graph model = OnnxFile.Load(settings.Model);
        string? floatPath = settings.Float ?? EvaluateCommand.FloatBeside(settings.Model);
        Graph? floatModel = floatPath is null ? null : OnnxFile.Load(floatPath);
        Graph sized = Sizing.OneSample(model, settings.Shape is null ? null : InspectCommand.ParseShape(settings.Shape));
        IReadOnlyDictionary<string, Tensor> inputs = BenchmarkInputs.Of(sized, model, settings.Batch, settings.Common.Seed);
        OnnxRuntimeLibrary? library = settings.Common.OpenOnnxRuntime();
        IReadOnlyList<EngineSpeed> speed = SpeedReport.Measure(model, floatModel, inputs, settings.Common, output, cancellation);
        var fusion = new List<FusionTable>();
        if (Timing.Fusion.InFewbit(model) is { } own)
        {
            fusion.Add(own);
            if (library is not null) fusion.Add(Timing.Fusion.InOnnxRuntime(library, model));
        }
        return new(settings.Model, floatPath, [.. inputs.Select(pair => $"'{pair.Key}' {pair.Value}")], settings.Batch, Workers.ThreadCount, speed, fusion,
            library is null ? "ONNX Runtime was not found; 'fewbit doctor' tells how to get it" : null);
    }

    private static void Write(BenchmarkReport report, CommandOutput output)
    {
        output.Fields(
        [
            ("model", report.Model),
            .. report.Float is { } path ? new[] { ("float model", path) } : [],
            ("inputs", string.Join(", ", report.Inputs)),
            ("threads", report.Threads.ToString(CultureInfo.InvariantCulture)),
        ]);
        output.Line();
        double last = report.Speed[^1].Seconds;
        bool hasFloat = report.Float is not null, hasOther = report.Speed.Count > 1;
        string[] headers = ["engine", ">median", .. hasFloat ? new[] { ">float model", ">speed-up" } : [], .. hasOther ? new[] { $">against {report.Speed[^1].Engine}" } : []];
        output.Table(headers, report.Speed.Select(speed => (string[])
        [
            speed.Engine, Words.Time(TimeSpan.FromSeconds(speed.Seconds)),
            .. hasFloat ? new[] { Words.Time(TimeSpan.FromSeconds(speed.FloatSeconds!.Value)), Ratio(speed.Speedup!.Value) } : [],
            .. hasOther ? new[] { Ratio(speed.Seconds / last) } : [],
        ]));
        if (report.OnnxRuntimeRemark is { } remark) output.Line(remark);
        foreach (FusionTable fusion in report.Fusion) Write(fusion, output);
    }

    private static void Write(FusionTable fusion, CommandOutput output)
    {
        output.Line();
        output.Line($"{fusion.Engine} runs in integers: {(fusion.Fused.Count == 0 ? "nothing" : string.Join(", ", fusion.Fused.Select(pair => $"{pair.Value} {pair.Key}")))}; left: {fusion.Quantizers} QuantizeLinear, {fusion.Dequantizers} DequantizeLinear");
        if (fusion.Left.Any()) output.Table(["  stays float", "operator", "why"], fusion.Left.Select(node => (string[])[$"  {node.Node}", node.OpType, node.Reason ?? ""]));
    }

    private static string Ratio(double ratio) => string.Create(CultureInfo.InvariantCulture, $"{ratio:0.00}x");
}
