namespace Fewbit.Graphs.Passes.Quantized;

/// <summary>What became of one node that touches quantized values.</summary>
/// <param name="Node">Name of the node in the model.</param>
/// <param name="OpType">Its operator.</param>
/// <param name="FusedAs">The operator on integer codes that computes it now; null where it stays on real numbers.</param>
/// <param name="Reason">Why it stays on real numbers; null where it is fused.</param>
public sealed record NodeFusion(string Node, string OpType, string? FusedAs, string? Reason)
{
    /// <summary>The form of lists: Conv 'conv1' -> QLinearConv.</summary>
    public override string ToString() => FusedAs is null ? $"{OpType} '{Node}' stays float: {Reason}" : $"{OpType} '{Node}' -> {FusedAs}";
}

/// <summary>What <see cref="FuseQuantized"/> did to a model.</summary>
/// <param name="Nodes">The nodes with a dequantized input or a quantized output, in the order of the graph.</param>
/// <param name="Codes">Names of the quantizers' outputs in the model whose codes still exist, under the same name. Quantizers that were merged away are not among them.</param>
public sealed record FusionReport(IReadOnlyList<NodeFusion> Nodes, IReadOnlyList<string> Codes)
{
    /// <summary>Nodes that run on integer codes.</summary>
    public IEnumerable<NodeFusion> Fused => Nodes.Where(node => node.FusedAs is not null);

    /// <summary>Nodes that stay on real numbers between DequantizeLinear and QuantizeLinear.</summary>
    public IEnumerable<NodeFusion> Float => Nodes.Where(node => node.FusedAs is null);
}
