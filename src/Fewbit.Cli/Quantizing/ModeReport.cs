using System.Globalization;
using Fewbit.Cli.Console;
using Fewbit.Cli.Judging;
using Fewbit.Cli.Timing;
using Fewbit.Evaluation;
using Fewbit.Quantization;

namespace Fewbit.Cli.Quantizing;

/// <summary>What fewbit quantize did without data and what it brought.</summary>
/// <remarks>Judgement, Check and OpenSizes are null without data, without known sizes, and where no size is open.</remarks>
internal sealed record ModeReport(
    string Model, string Output, string Mode, QuantizationReport Quantization, Judgement? Judgement, string? Judging, FileSizes Bytes,
    RuntimeCheck? Check, IReadOnlyList<EngineSpeed> Speed, string? OpenSizes, string? Remark, ComparisonReport? Comparison = null)
{
    public void Write(CommandOutput output, bool verbose)
    {
        output.Fields(
        [
            ("model", $"{Model} -> {Output}"),
            ("mode", Mode),
            .. Judging is null ? [] : new[] { ("judging", Judging) },
            .. Applied().Select(applied => ("applied", applied)),
            ("nodes", NodeTable.Summary(Quantization.Nodes)),
        ]);
        foreach (string line in NodeTable.FloatReasons([.. Quantization.Nodes.Where(node => node.Reason.Length > 0)])) output.Line($"  {line}");
        foreach (string warning in Quantization.Warnings) output.Line($"  warning: {warning}");
        if (verbose) NodeTable.Write(Quantization.Nodes, output);
        output.Line();
        output.Table(["", ">before", ">after", ""],
        [
            .. Judgement?.Rows() ?? [],
            ["file", Words.Bytes(Bytes.Float), Words.Bytes(Bytes.Written), Ratio((double)Bytes.Float / Bytes.Written, "smaller", "larger")],
            .. Speed.Select(speed => (string[])[$"time, {speed.Engine}", Words.Time(TimeSpan.FromSeconds(speed.FloatSeconds!.Value)), Words.Time(TimeSpan.FromSeconds(speed.Seconds)), $"one sample, {Ratio(speed.Speedup!.Value, "faster", "slower")}"]),
        ]);
        output.Line();
        if (Check is { } check) output.Fields(Checks(check));
        if (OpenSizes is not null) output.Line(OpenSizes);
        if (Remark is not null) output.Line(Remark);
    }

    /// <summary>Each form that is in the file, with the number of nodes.</summary>
    private IEnumerable<string> Applied() =>
        Quantization.Nodes.Where(node => node.Outcome is NodeOutcome.Integer or NodeOutcome.Rounded).CountBy(node => node.Applied).Select(pair => $"{pair.Key}: {Words.Plural(pair.Value, "node")}");

    internal static IEnumerable<(string, string)> Checks(RuntimeCheck check)
    {
        if (check.SignalToNoise is { } noise) yield return ("outputs", $"{Words.Digits(noise)} dB signal to noise against the model before, on one seeded input");
        yield return ("check", check.Runtime is null ? "ONNX Runtime was not found ('fewbit doctor' tells how to get it)"
            : string.Create(CultureInfo.InvariantCulture, $"ONNX Runtime {check.Runtime} differs from Fewbit by {check.AsWritten:0.0e0} of the largest output, by {check.Optimized:0.0e0} with all its rewrites"));
    }

    private static string Ratio(double ratio, string above, string below) => string.Create(CultureInfo.InvariantCulture, $"{(ratio >= 1 ? ratio : 1 / ratio):0.00}x {(ratio >= 1 ? above : below)}");
}
