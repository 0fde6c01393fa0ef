using System.Runtime.InteropServices;
using Fewbit.Cli.Console;
using Fewbit.OnnxRuntime;
using Fewbit.Quantization;
using Fewbit.Targets;

namespace Fewbit.Cli.Quantizing;

/// <summary>A written model and the place where it is to run.</summary>
/// <param name="Name">The target; null where none is named.</param>
/// <param name="Runtime">The release of ONNX Runtime that must load it; null where none is named.</param>
/// <param name="RanIn">The ONNX Runtime that loaded it here; null without one, or where the processor is not the target's.</param>
/// <param name="IsTargetHere">Whether that is the target: its kind of processor, and its release if one is named.</param>
/// <param name="Check">The model against the target's rules; null where none is named.</param>
/// <param name="Fusion">What that runtime makes of it, or is expected to make; null where no node lies between quantizers.</param>
/// <param name="SaturationRisks">Layers whose products may saturate without VNNI.</param>
/// <param name="IntegerLayers">Layers that multiply codes.</param>
internal sealed record TargetReport(
    string? Name, string? Runtime, string? RanIn, bool IsTargetHere, TargetCheck? Check, FusionTable? Fusion, IReadOnlyList<SaturationRisk> SaturationRisks, int IntegerLayers)
{
    private const int Shown = 3;

    public static TargetReport Of(QuantizationResult result, QuantizationOptions options, OnnxRuntimeLibrary? library)
    {
        bool isProcessorHere = library is not null && options.Destination.IsHere;
        FusionTable? fusion = !options.Destination.IsOnnxRuntime || result.Fusion.Nodes.Count == 0 ? null : isProcessorHere ? Timing.Fusion.InOnnxRuntime(library!, result.Model) : result.Fusion;
        bool isHere = isProcessorHere && (options.Runtime is not { } runtime || library!.Version.StartsWith($"1.{runtime.Minor}.", StringComparison.Ordinal));
        return new(options.Target?.Name, options.Runtime?.Name, !isProcessorHere ? null : $"ONNX Runtime {library!.Version}", isHere, result.TargetCheck, fusion,
            options.Destination.Host == Architecture.X64 ? result.SaturationRisks : [], result.Report.Nodes.Count(node => node.Outcome == NodeOutcome.Integer && node.OpType is "Conv" or "Gemm" or "MatMul"));
    }

    /// <summary>Lines beside a label.</summary>
    public IEnumerable<(string, string)> Fields()
    {
        if (Name is not null) yield return ("target", $"{Named()}: {WhereRun()}, checked against {Check!.Rules.Count} rules, {Obeyed()}");
        else if (Runtime is not null) yield return ("target", $"{Runtime}: {WhereRun()}, checked against the opsets and types that it loads");
        if (Fusion is not null) yield return ("fusion", FusionSummary());
        if (SaturationRisks.Count > 0) yield return ("saturation", $"in ONNX Runtime on an x64 CPU without VNNI {SaturationRisks.Count} of {Words.Plural(IntegerLayers, "layer")} may exceed 16 bits: {Saturation.Remedy}");
    }

    private string WhereRun() => IsTargetHere ? $"run here in {RanIn}" : RanIn is null ? "not run here" : $"run here in {RanIn}, not in the release named";

    /// <summary>A line for each broken rule, and for each operator and reason that stays float between quantizers.</summary>
    public IEnumerable<string> Details()
    {
        foreach (TargetViolation violation in Check?.Violations ?? []) yield return $"warning: {violation}";
        foreach (var group in (Fusion?.Left ?? []).GroupBy(node => (node.OpType, node.Reason)))
        {
            string[] names = [.. group.Select(node => node.Node)];
            yield return $"left float: {names.Length} {group.Key.OpType} ({string.Join(", ", names.Take(Shown))}{(names.Length > Shown ? ", ..." : "")}): {group.Key.Reason}";
        }
    }

    /// <summary>Node by node.</summary>
    public void WriteNodes(CommandOutput output)
    {
        if (Fusion is not null)
        {
            output.Line();
            output.Table([$"in {Fusion.Engine}", "operator", "runs as", "why"], Fusion.Nodes.Select(node => (string[])[node.Node, node.OpType, node.FusedAs ?? "float", node.Reason ?? ""]));
        }
        if (SaturationRisks.Count == 0) return;
        output.Line();
        output.Table(["may saturate without VNNI", "operator", ">largest sum of two products", ">limit"],
            SaturationRisks.Select(risk => (string[])[risk.Node, risk.OpType, Words.Whole(risk.MaxPairSum), Words.Whole(Saturation.Limit)]));
    }

    private string Named() => Runtime is null ? $"{Name} ({ExportTarget.Parse(Name!).Description})" : $"{Name} ({ExportTarget.Parse(Name!).Description}), {Runtime}";

    private string Obeyed() => Check!.Violations.Count == 0 ? "all obeyed" : $"{Words.Plural(Check.Violations.Count, "violation")}";

    private string FusionSummary()
    {
        int fused = Fusion!.Nodes.Count(node => node.FusedAs is not null);
        string runs = RanIn is null ? "expected in ONNX Runtime by its rules, not run:" : $"{RanIn} runs";
        return $"{runs} {fused} of {Words.Plural(Fusion.Nodes.Count, "node")} next to quantizers on codes; left: {Fusion.Quantizers} QuantizeLinear, {Fusion.Dequantizers} DequantizeLinear";
    }
}
