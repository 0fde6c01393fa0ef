using System.Text.RegularExpressions;
using Fewbit.Graphs;
using Fewbit.Graphs.Passes.Quantized;

namespace Fewbit.Targets;

/// <summary>A node next to quantizers, and how an engine computes it.</summary>
/// <param name="Node">Its name in the written model.</param>
/// <param name="OpType">Its operator there.</param>
/// <param name="FusedAs">The operator on codes that computes it; null where it stays float.</param>
/// <param name="Reason">Why it stays float: the condition of the fusion that it does not meet; null where it is fused.</param>
public sealed record NodeExecution(string Node, string OpType, string? FusedAs, string? Reason)
{
    /// <summary>The form of lists.</summary>
    public override string ToString() => FusedAs is null ? $"{OpType} '{Node}' stays float: {Reason}" : $"{OpType} '{Node}' runs as {FusedAs}";
}

/// <summary>What an engine makes of the pairs of QuantizeLinear and DequantizeLinear in a written model.</summary>
/// <param name="Engine">The engine, with its version.</param>
/// <param name="Nodes">Every node next to a quantizer, in the order of the model.</param>
/// <param name="Quantizers">QuantizeLinear nodes left in the graph that runs.</param>
/// <param name="Dequantizers">DequantizeLinear nodes left in it.</param>
public sealed partial record FusionTable(string Engine, IReadOnlyList<NodeExecution> Nodes, int Quantizers, int Dequantizers)
{
    /// <summary>Integer operators that run, with the number of nodes that they compute.</summary>
    public IReadOnlyDictionary<string, int> Fused => Nodes.Where(node => node.FusedAs is not null).CountBy(node => node.FusedAs!)
        .OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key, StringComparer.Ordinal).ToDictionary();

    /// <summary>Nodes that stay float between quantizers.</summary>
    public IEnumerable<NodeExecution> Left => Nodes.Where(node => node.FusedAs is null);

    /// <summary>What Fewbit's own exact evaluation makes of a model, by the conditions of ONNX Runtime's CPU provider (1.30, x64).</summary>
    /// <param name="model">The written model.</param>
    /// <param name="keepsInt8">True: as on ARM, where int8 activations stay int8.</param>
    public static FusionTable Expected(Graph model, bool keepsInt8 = false)
    {
        Graph fused = model.Clone();
        FusionReport report = FuseQuantized.Apply(fused, keepsInt8);
        return new("Fewbit", [.. report.Nodes.Select(node => new NodeExecution(node.Node, node.OpType, node.FusedAs, node.Reason))], Count(fused, "QuantizeLinear"), Count(fused, "DequantizeLinear"));
    }

    /// <summary>Reads from the graph that a runtime really runs what became of each node of the written model.</summary>
    /// <param name="engine">The runtime, with its version.</param>
    /// <param name="model">The written model.</param>
    /// <param name="optimized">The graph that the runtime wrote after its optimizations.</param>
    /// <param name="keepsInt8">True: it keeps int8 activations, as on ARM.</param>
    public static FusionTable Of(string engine, Graph model, Graph optimized, bool keepsInt8 = false)
    {
        FusionTable expected = Expected(model, keepsInt8);
        var running = optimized.Nodes.GroupBy(node => Suffix().Replace(node.Name, ""), StringComparer.Ordinal).ToDictionary(group => group.Key, group => group.First(), StringComparer.Ordinal);
        var written = model.Nodes.ToDictionary(node => node.Name, StringComparer.Ordinal);
        return new(engine, [.. expected.Nodes.Select(node => Find(node, written[node.Node], running, optimized, engine))], Count(optimized, "QuantizeLinear"), Count(optimized, "DequantizeLinear"));
    }

    private static NodeExecution Find(NodeExecution expected, Node written, Dictionary<string, Node> running, Graph optimized, string engine)
    {
        Node? found = running.GetValueOrDefault(written.Name) ?? ResultOf(written).Select(name => optimized.Find(name)?.Producer).FirstOrDefault(node => node is not null);
        // What is nowhere was moved into a neighbour, whose own line tells the rest.
        if (found is null) return expected;
        if (IsOnCodes(found)) return new(written.Name, written.OpType, found.OpType, null);
        return new(written.Name, written.OpType, null, expected.Reason ?? $"{engine} does not fuse it, although it meets the conditions of ONNX Runtime 1.30");
    }

    /// <summary>Names of the codes that quantizers make of a node's results, behind a Relu or Clip too.</summary>
    private static IEnumerable<string> ResultOf(Node node) => node.Outputs
        .SelectMany(output => output.Readers())
        .SelectMany(reader => reader.IsQuantizer() ? [reader] : reader.Is("Relu") || reader.Is("Clip") ? reader.Outputs[0].Readers().Where(next => next.IsQuantizer()) : [])
        .Select(quantizer => quantizer.Outputs[0].Name);

    /// <summary>An operator on codes, or one that moves or compares them where no quantizer is left around it.</summary>
    private static bool IsOnCodes(Node node) => IsIntegerOperator(node) || (MovesCodes(node)
        && !node.Inputs.Any(input => input?.Producer?.IsDequantizer() == true) && !node.Outputs.Any(output => output.Readers().Any(reader => reader.IsQuantizer())));

    private static bool MovesCodes(Node node) => node.OpType is "Pad" or "Clip" || GroupRules.Of(node)?.Replacement == Replacement.SameOperator;

    private static bool IsIntegerOperator(Node node) => node.OpType.StartsWith("QLinear", StringComparison.Ordinal)
        || node.OpType is "QGemm" or "ConvInteger" or "MatMulInteger" or "MatMulIntegerToFloat" or "DynamicQuantizeMatMul" or "MatMulNBits" or "QAttention" or "NhwcMaxPool";

    /// <summary>What ONNX Runtime appends to the names of the nodes that it makes.</summary>
    [GeneratedRegex(@"(_token_\d+)+\z")]
    private static partial Regex Suffix();

    private static int Count(Graph graph, string opType) => graph.Nodes.Count(node => node.OpType == opType);
}
