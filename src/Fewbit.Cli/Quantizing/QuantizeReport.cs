using System.Globalization;
using System.Text.Json.Serialization;
using Fewbit.Cli.Console;
using Fewbit.Cli.Judging;
using Fewbit.Cli.Timing;
using Fewbit.Evaluation;
using Fewbit.Quantization;

namespace Fewbit.Cli.Quantizing;

/// <summary>File sizes in bytes.</summary>
/// <param name="Float">The float model.</param>
/// <param name="Written">The file that was written.</param>
/// <param name="Packed">The same with each weight code in its own number of bits.</param>
internal sealed record FileSizes(long Float, long Written, long Packed);

/// <summary>Bytes in memory while one sample runs in Fewbit: the parameters as they are stored, and the intermediate tensors.</summary>
internal sealed record RunMemory(long Float, long Quantized);

/// <summary>What fewbit quantize did and what it brought.</summary>
internal sealed record QuantizeReport(
    string Model, string Output, [property: JsonIgnore] DataPlan Plan, PreprocessingChoice Preprocessing, FloatCheck FloatCheck, QuantizationReport Quantization,
    [property: JsonIgnore] QuantizationOptions Options, Judgement Judgement, FileSizes Bytes, RunMemory Memory, [property: JsonIgnore] TimeSpan CalibrationTime, long PeakMemoryBytes,
    Verification? Verification, IReadOnlyList<EngineSpeed> Speed, CostShare Cost, TargetReport Target)
{
    /// <summary>The error of each layer, where a page was asked for; null otherwise.</summary>
    public ComparisonReport? Comparison { get; init; }

    public string Calibration => Plan.Calibration.Description;
    public string Judging => Plan.Judging.Description;
    public string? DataRemark => Plan.Remark;
    public double CalibrationSeconds => CalibrationTime.TotalSeconds;

    /// <summary>What was promised; null where nothing was.</summary>
    public PromiseReport? Promise { get; init; }

    /// <summary>One honest sentence where integers bring no speed.</summary>
    public string? SpeedRemark => SpeedSentence.Of(Promise is null ? Options : Options with { Weights = Quantization.Weights.Select(weight => weight.Format).MinBy(format => format.BitWidth) ?? Options.Weights }, Speed, Cost);

    public void Write(CommandOutput output, bool verbose)
    {
        output.Fields(
        [
            ("model", $"{Model} -> {Output}"),
            ("calibration", $"{Calibration}; {Words.Time(CalibrationTime)}, peak memory {Words.Bytes(PeakMemoryBytes)}"),
            ("judging", Judging),
            .. Plan.Remark is { } remark ? new[] { ("", remark) } : [],
            ("preprocessing", Preprocessing.ToString()),
            .. FloatCheck.LabelOrder is { } order ? new[] { ("labels", order.Message) } : [],
            .. FloatCheck.IsNearChance ? new[] { ("float model", $"near chance: top-1 {Words.Percent(FloatCheck.Top1!.Value)} on {FloatCheck.Samples} samples; --force went on") } : [],
            ("weights", $"{WeightFormats()}, one scale per {Sharing(Options.WeightGranularity)}; activations {Options.Activations?.Name ?? "float"}"),
            .. Options.Method == RoundingMethod.Nearest ? [] : new[] { ("method", LearnedTable.Summary(Options, Quantization)) },
            .. Quantization.Transforms.Select(report => ("transform", report.ToString())),
            ("nodes", NodeTable.Summary(Quantization.Nodes)),
            .. Target.Fields(),
        ]);
        foreach (string line in NodeTable.FloatReasons(Quantization.Nodes)) output.Line($"  {line}");
        foreach (string detail in Target.Details()) output.Line($"  {detail}");
        foreach (string warning in Quantization.Warnings) output.Line($"  warning: {warning}");
        if (verbose)
        {
            NodeTable.Write(Quantization.Nodes, output);
            Target.WriteNodes(output);
            TransformTable.Write(Quantization.Transforms, output);
            LearnedTable.Write(Quantization, output);
        }
        output.Line();
        if (Promise is not null)
        {
            Promise.Write(output);
            output.Line();
        }
        output.Table(["", ">float", $">{Heading}", ""], [.. Judgement.Rows(), .. SizeRows(), .. Speed.Select(SpeedRow)]);
        output.Line();
        output.Fields(("check", Verification?.ToString() ?? "ONNX Runtime was not found: codes and labels are those of Fewbit alone ('fewbit doctor' tells how to get it)"));
        if (SpeedRemark is { } sentence) output.Line(sentence);
        if (Promise is not null) output.Line(Promise.Sentence);
    }

    /// <summary>The format of the weights, or that they have several.</summary>
    /// <summary>What the model is called beside float.</summary>
    internal string Heading => Promise is not null && Quantization.Weights.Select(weight => weight.Format.Name).Distinct().Count() > 1 ? "mixed" : Options.Weights.Name;

    /// <summary>uint4; or 5 layers uint4, 2 int8.</summary>
    internal string WeightFormats()
    {
        if (Heading != "mixed") return Options.Weights.Name;
        return string.Join(", ", Quantization.Weights.CountBy(weight => weight.Format.Name).Select((pair, i) => $"{pair.Value}{(i == 0 ? " layers" : "")} {pair.Key}"));
    }

    internal static string Sharing(WeightGranularity granularity) =>
        granularity.GroupSize is { } size ? $"group of {size} input channels" : granularity == WeightGranularity.PerTensor ? "tensor" : "output channel";

    private IEnumerable<IReadOnlyList<string>> SizeRows()
    {
        yield return ["file", Words.Bytes(Bytes.Float), Words.Bytes(Bytes.Written), $"{Ratio((double)Bytes.Float / Bytes.Written)} smaller"];
        yield return ["memory", Words.Bytes(Memory.Float), Words.Bytes(Memory.Quantized), $"parameters and values of one sample in Fewbit, {Ratio((double)Memory.Float / Memory.Quantized)} smaller"];
        if (Bytes.Packed < Bytes.Written && Options.Container == WeightContainer.Fast)
            yield return ["packed", "", Words.Bytes(Bytes.Packed), $"computed: the file holds its {Options.Weights.BitWidth}-bit codes in 8 bits, so that runtimes fuse its nodes"];
    }

    private static IReadOnlyList<string> SpeedRow(EngineSpeed speed) =>
        [$"time, {speed.Engine}", Words.Time(TimeSpan.FromSeconds(speed.FloatSeconds!.Value)), Words.Time(TimeSpan.FromSeconds(speed.Seconds)), $"one sample, {Faster(speed.Speedup!.Value)}"];

    private static string Faster(double speedup) => speedup >= 1 ? $"{Ratio(speedup)} faster" : $"{Ratio(1 / speedup)} slower";

    private static string Ratio(double ratio) => string.Create(CultureInfo.InvariantCulture, $"{ratio:0.00}x");
}
