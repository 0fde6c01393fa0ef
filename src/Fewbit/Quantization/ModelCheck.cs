using Fewbit.Graphs;
using Fewbit.Targets;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>Refuses models that cannot be quantized, each with one message that says what to do.</summary>
internal static class ModelCheck
{
    private static readonly HashSet<string> s_quantized = new(StringComparer.Ordinal)
    {
        "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "QGemm", "QAttention", "DynamicQuantizeMatMul",
        "DynamicQuantizeLSTM", "MatMulIntegerToFloat", "MatMulNBits", "MatMulBnb4", "GatherBlockQuantized", "QEmbedLayerNormalization",
    };

    /// <summary>True for a node that computes, makes or reads codes.</summary>
    public static bool IsQuantized(Node node) => s_quantized.Contains(node.OpType) || node.OpType.StartsWith("QLinear", StringComparison.Ordinal);

    /// <exception cref="InvalidDataException">The model is quantized already, computes in float16, or is too old.</exception>
    public static void Check(Graph graph)
    {
        Node[] quantized = [.. graph.Nodes.Where(IsQuantized)];
        if (quantized.Length > 0)
            throw new InvalidDataException($"the model is quantized already ({quantized[0]}{(quantized.Length > 1 ? $" and {quantized.Length - 1} more" : "")}); give the float model that it was made from, or make it float first: fewbit quantize --mode float, Quantizer.Dequantize");
        if (graph.OpsetVersion("") < 13)
            throw new InvalidDataException($"the model states opset {graph.OpsetVersion("")}, expected 13 or later (per-channel scales); load it with UpgradeOpset");
        Node? half = graph.Nodes.FirstOrDefault(node => node.OpType is "Conv" or "Gemm" or "MatMul" && node.Inputs.Any(input => input?.Type is ElementType.Float16 or ElementType.BFloat16));
        if (half is not null)
            throw new InvalidDataException($"{half} computes in {half.Inputs.First(input => input is not null)!.Type.Name()}, expected float32; export the model in float32");
    }

    /// <exception cref="InvalidDataException">The release of ONNX Runtime that is asked for does not load the model.</exception>
    public static void CheckRuntime(Graph graph, RuntimeVersion? runtime)
    {
        if (runtime?.WhyNot(graph) is { } reason) throw new InvalidDataException(reason);
    }

    /// <exception cref="InvalidDataException">No node would run in integers.</exception>
    public static void CheckPlacement(Graph graph, Placement placement)
    {
        if (placement.Selected.Any(node => placement.RoleOf(node) == NodeRole.Compute)) return;
        Node? compute = graph.Nodes.FirstOrDefault(node => node.OpType is "Conv" or "Gemm" or "MatMul");
        throw new InvalidDataException(compute is null ? "the model has no Conv, Gemm or MatMul: there is nothing to quantize"
            : $"no Conv, Gemm or MatMul can run in integers: {compute}: {placement.ReasonOf(compute)}");
    }

    /// <exception cref="ArgumentException">A name is of no node.</exception>
    public static void CheckExclusions(Graph original, IEnumerable<string> names) => CheckExclusions([.. original.Nodes.Select(node => node.Name)], names);

    /// <exception cref="ArgumentException">A name is not among the known ones.</exception>
    public static void CheckExclusions(IReadOnlyList<string> nodes, IEnumerable<string> names)
    {
        var known = nodes.ToHashSet(StringComparer.Ordinal);
        foreach (string name in names)
        {
            if (!known.Contains(name)) throw new ArgumentException($"the model has no node '{name}' to exclude{Data.Closest.Suggestion(name, known)}", nameof(names));
        }
    }
}
