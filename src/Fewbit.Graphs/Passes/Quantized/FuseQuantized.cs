namespace Fewbit.Graphs.Passes.Quantized;

/// <summary>
/// Turns a graph of QuantizeLinear and DequantizeLinear into one that computes on integer codes wherever ONNX Runtime's CPU provider does
/// (version 1.30, x64, all optimizations), and nowhere else. Outputs of quantizers keep their names.
/// </summary>
public static class FuseQuantized
{
    /// <summary>Rounds of preparation after which rules that undo each other are given up; ONNX Runtime has such a limit too.</summary>
    private const int MaxRounds = 10;

    /// <summary>Fuses in place.</summary>
    /// <param name="graph">A graph as its file states it; float passes come after this one.</param>
    /// <param name="keepsInt8">
    /// True: int8 activations stay int8, as ONNX Runtime leaves them on ARM (session.qdqisint8allowed), for who asks what fuses there; the graph is not meant to run.
    /// </param>
    public static FusionReport Apply(Graph graph, bool keepsInt8 = false)
    {
        string[] quantizers = [.. graph.Nodes.Where(node => node.IsQuantizer() && node.Inputs[0] is { Constant: null }).Select(node => node.Outputs[0].Name)];
        var touched = graph.Nodes.Where(IsTouched).Select(node => (node.Name, node.OpType)).ToArray();
        Prepare(graph);
        if (!keepsInt8) UnsignedCodes.Apply(graph);
        var outcomes = new Dictionary<string, NodeFusion>(StringComparer.Ordinal);
        foreach (Node node in graph.Nodes.ToArray())
        {
            if (IsTouched(node)) outcomes[node.Name] = Fuse(graph, node, keepsInt8);
        }
        MatchFloats.Apply(graph);
        graph.RemoveUnusedValues();
        var nodes = touched.Select(node => outcomes.GetValueOrDefault(node.Name) ?? new NodeFusion(node.Name, node.OpType, "QuantizeLinear", null));
        return new([.. nodes], [.. quantizers.Where(name => graph.Find(name) is not null)]);
    }

    private static void Prepare(Graph graph)
    {
        var folding = new FoldConstants { MaxGrowth = long.MaxValue / 2 };
        RemoveIdentities.Apply(graph);
        DuplicateDequantizers.Apply(graph);
        for (int round = 0; round < MaxRounds; round++)
        {
            bool changed = RemoveRedundantActivations.Apply(graph);
            changed |= MergeDoubleQuantization.Apply(graph);
            changed |= ShareQuantizers.Apply(graph);
            changed |= folding.Run(graph).HasChanged;
            changed |= FuseMatMulAdd.Apply(graph);
            changed |= PropagateQuantization.Apply(graph);
            changed |= QuantizeWhereConstants.Apply(graph);
            changed |= QuantizeBiases.Apply(graph);
            changed |= DuplicateDequantizers.Apply(graph);
            if (!changed) break;
        }
    }

    private static NodeFusion Fuse(Graph graph, Node node, bool keepsInt8)
    {
        if (GroupRules.Of(node) is not { } rule) return new(node.Name, node.OpType, null, "ONNX Runtime has no operator on codes for it");
        QuantizedGroup group = QuantizedGroup.Around(node) with { TakesInt8 = keepsInt8 };
        if (rule.Check(group) is { } reason) return new(node.Name, node.OpType, null, reason);
        (string name, string opType) = (node.Name, node.OpType);
        return new(name, opType, GroupReplacement.Apply(graph, group, rule.Replacement), null);
    }

    private static bool IsTouched(Node node) => !node.IsQuantizer() && !node.IsDequantizer() && node.Domain is ("" or "ai.onnx")
        && (node.Inputs.Any(input => input?.Producer is { } producer && producer.IsDequantizer()) || node.Outputs.Any(output => output.Readers().Any(reader => reader.IsQuantizer())));
}
