namespace Fewbit.Graphs.Execution;

/// <summary>Finds what some values depend on.</summary>
internal static class Reachability
{
    /// <summary>The nodes that the wanted values need, in the order of the graph.</summary>
    public static IReadOnlyList<Node> NodesFor(Graph graph, IEnumerable<Value> wanted)
    {
        var values = new HashSet<Value>(wanted);
        var nodes = new List<Node>();
        for (int i = graph.Nodes.Count - 1; i >= 0; i--)
        {
            Node node = graph.Nodes[i];
            if (!node.Outputs.Any(values.Contains)) continue;
            nodes.Add(node);
            foreach (Value? input in node.Inputs)
            {
                if (input is not null) values.Add(input);
            }
            foreach (Graph body in node.Subgraphs()) values.UnionWith(body.CapturedValues());
        }
        nodes.Reverse();
        return nodes;
    }
}
