namespace Fewbit.Graphs.Passes.Quantized;

/// <summary>Removes nodes that return what they are given, so that they do not stand between an operator and its quantizer.</summary>
internal static class RemoveIdentities
{
    public static void Apply(Graph graph)
    {
        foreach (Node node in graph.Nodes.ToArray())
        {
            if (!node.Is("Identity") || node.Outputs.Count != 1 || node.Input(0) is not { } input || node.Outputs[0].IsOutput || input.Graph != graph) continue;
            node.Outputs[0].ReplaceAllUsesWith(input);
            graph.Remove(node);
        }
    }
}
