using Fewbit.Cli.Judging;
using Fewbit.Graphs;
using Fewbit.Graphs.Passes.Quantized;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Runtime;

namespace Fewbit.Cli.Timing;

/// <summary>A node between QuantizeLinear and DequantizeLinear that an engine computes in float.</summary>
/// <param name="Node">Its name.</param>
/// <param name="OpType">Its operator.</param>
/// <param name="Reason">Why it is not fused; null where the engine does not tell.</param>
internal sealed record LeftFloat(string Node, string OpType, string? Reason);

/// <summary>What an engine made of the QDQ pairs of a model.</summary>
/// <param name="Engine">Fewbit, or ONNX Runtime with its version.</param>
/// <param name="Fused">Integer operators that run, with their number.</param>
/// <param name="Left">Nodes that stay float between quantizers.</param>
/// <param name="Quantizers">QuantizeLinear nodes left in the graph that runs.</param>
/// <param name="Dequantizers">DequantizeLinear nodes left.</param>
internal sealed record Fusion(string Engine, IReadOnlyDictionary<string, int> Fused, IReadOnlyList<LeftFloat> Left, int Quantizers, int Dequantizers)
{
    /// <summary>Fewbit's own fusion; null for a model without quantized groups.</summary>
    public static Fusion? InFewbit(Graph model)
    {
        using ModelRunner runner = ModelRunner.From(model);
        if (runner.Fusion is not { Nodes.Count: > 0 } report) return null;
        Graph fused = model.Clone();
        FuseQuantized.Apply(fused);
        return new("Fewbit", Counts(report.Fused.Select(node => node.FusedAs!)), [.. report.Float.Select(node => new LeftFloat(node.Node, node.OpType, node.Reason))], Count(fused, "QuantizeLinear"), Count(fused, "DequantizeLinear"));
    }

    /// <summary>ONNX Runtime's fusion, read from the graph that it writes after its optimizations.</summary>
    /// <param name="library">ONNX Runtime.</param>
    /// <param name="model">The model.</param>
    /// <param name="own">Fewbit's fusion of it, which knows the reasons.</param>
    public static Fusion InOnnxRuntime(OnnxRuntimeLibrary library, Graph model, Fusion own)
    {
        string path = Path.Combine(Path.GetTempPath(), $"fewbit-{Guid.NewGuid():N}.onnx");
        try
        {
            Engines.OnnxRuntime(library, model, threads: 1, optimizedModelPath: path).Dispose();
            Graph graph = OnnxFile.Load(path, new() { UpgradeOpset = false, InferShapes = false });
            IEnumerable<string> fused = graph.Nodes.Where(IsInteger).Select(node => node.OpType);
            var reasons = own.Left.ToDictionary(node => node.Node, node => node.Reason, StringComparer.Ordinal);
            LeftFloat[] left = [.. graph.Nodes.Where(IsBetweenQuantizers).Select(node => new LeftFloat(node.Name, node.OpType, reasons.GetValueOrDefault(node.Name)))];
            return new($"ONNX Runtime {library.Version}", Counts(fused), left, Count(graph, "QuantizeLinear"), Count(graph, "DequantizeLinear"));
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static bool IsInteger(Node node) => node.OpType.StartsWith("QLinear", StringComparison.Ordinal)
        || node.OpType is "QGemm" or "ConvInteger" or "MatMulInteger" or "MatMulIntegerToFloat" or "DynamicQuantizeMatMul" or "MatMulNBits" or "QAttention";

    private static bool IsBetweenQuantizers(Node node) => node.OpType is not ("QuantizeLinear" or "DequantizeLinear")
        && (node.Inputs.Any(input => input?.Producer?.OpType == "DequantizeLinear") || node.Outputs.Any(output => output.Uses.Any(use => use.Node.OpType == "QuantizeLinear")));

    private static Dictionary<string, int> Counts(IEnumerable<string> names) => names.CountBy(name => name).OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key, StringComparer.Ordinal).ToDictionary();

    private static int Count(Graph graph, string opType) => graph.Nodes.Count(node => node.OpType == opType);
}
