namespace Fewbit.Graphs.Passes.Quantized;

/// <summary>Gives every reader of a dequantized value a dequantizer of its own, since a group of nodes takes its dequantizers with it.</summary>
internal static class DuplicateDequantizers
{
    public static bool Apply(Graph graph)
    {
        bool changed = false;
        foreach (Node node in graph.Nodes.ToArray())
        {
            if (!node.IsDequantizer()) continue;
            // The first reader keeps the original, unless the graph returns it.
            foreach (Use use in node.Outputs[0].Uses.Where(use => use.Node.Graph == graph).Skip(node.Outputs[0].IsOutput ? 0 : 1).ToArray())
            {
                Node copy = graph.InsertNode(graph.IndexOf(node) + 1, node.Domain, node.OpType, node.Inputs, node.Attributes.Clone(body => body), 1, node.Name);
                use.Node.SetInput(use.Index, copy.Outputs[0]);
                changed = true;
            }
        }
        return changed;
    }
}
