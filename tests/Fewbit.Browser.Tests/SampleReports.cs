using Fewbit.Evaluation;
using Fewbit.Formats;
using Fewbit.Quantization;
using Fewbit.Reports;

namespace Fewbit.Browser.Tests;

/// <summary>Reports that a model made for mischief, or a large one, would give.</summary>
internal static class SampleReports
{
    public const string Hostile = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>\"'&\u202Elayer";

    /// <summary>Every text of it holds markup.</summary>
    public static HtmlReport OfHostileNames() => Of(12, index => $"{index}{Hostile}") with
    {
        Title = Hostile, Kind = Hostile, ModelLabel = Hostile, ComparedOn = Hostile, Warnings = [Hostile], Remarks = [Hostile], Command = Hostile,
        Verdict = new(VerdictLevel.Loss, Hostile, Hostile),
        Settings = [new(Hostile, Hostile)], Tables = [new(Hostile, Hostile, [new(Hostile), new(Hostile, IsNumber: true)], [[new(Hostile), new(Hostile, 1)]])],
        Times = [new(Hostile, FigureUnit.Seconds, new(2e-3, new(1.9e-3, 2.1e-3)), new(1e-3, new(0.9e-3, 1.1e-3)), null, Hostile)],
    };

    /// <summary>A network of so many layers, whose error grows with depth.</summary>
    public static HtmlReport Of(int layers, Func<int, string> name)
    {
        NodeReport[] nodes = [.. Enumerable.Range(0, layers).Select(index => new NodeReport(
            name(index), index % 3 == 2 ? "Add" : "Conv", "int8 weights, uint8 activations", index % 5 == 4 ? "float" : "int8 weights, uint8 input, uint8 output",
            index % 5 == 4 ? NodeOutcome.Float : NodeOutcome.Integer, index % 5 == 4 ? "its weight is computed" : ""))];
        LayerDifference[] differences = [.. nodes.Select((node, index) => new LayerDifference($"{node.Name}/out", node.Name, node.OpType, index == 0 ? double.PositiveInfinity : 45 - index % 7 - 20.0 * index / layers, 0.999))];
        return new()
        {
            Title = "network.onnx → network.int8.onnx", ModelLabel = "int8",
            Verdict = ReportVerdict.OfAccuracy(-0.001, new(-0.004, 0.002), 0.6, 4000),
            Accuracy = [new("top-1", FigureUnit.Share, new(0.912, new(0.903, 0.92)), new(0.911, new(0.902, 0.919)), new(-0.001, new(-0.004, 0.002)))],
            Sizes = [new("file", FigureUnit.Bytes, new(44_700_000), new(11_300_000))],
            Times = [new("Fewbit", FigureUnit.Seconds, new(0.0123, new(0.0121, 0.0126)), new(0.0061, new(0.006, 0.0063)), new(2.02, new(1.95, 2.07)))],
            Quantization = new(nodes, [], [.. nodes.Where(node => node.OpType == "Conv").Select((node, index) => new WeightReport(node.Name, $"{node.Name}/w", IntegerFormat.Int8, Granularity.PerTensor, 9 * (index + 1), 40 - index % 11, [], [], 0))],
                new(1, 1, 1), 512, []),
            Comparison = new(64, 24.5, 0.01, differences, [], []), ComparedOn = "64 samples",
            Command = "fewbit quantize network.onnx -c train/ --report report.html", Settings = [new("seed", "0")],
        };
    }
}
