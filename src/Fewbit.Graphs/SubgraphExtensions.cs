namespace Fewbit.Graphs;

/// <summary>Walks the bodies of control-flow nodes.</summary>
public static class SubgraphExtensions
{
    /// <summary>The graphs that a node holds as attributes.</summary>
    public static IEnumerable<Graph> Subgraphs(this Node node)
    {
        foreach ((_, object value) in node.Attributes)
        {
            if (value is Graph graph) yield return graph;
            if (value is Graph[] graphs)
            {
                foreach (Graph item in graphs) yield return item;
            }
        }
    }

    /// <summary>Values of the graphs around a subgraph that it or a subgraph of its own reads or returns.</summary>
    public static IEnumerable<Value> CapturedValues(this Graph body)
    {
        var inside = new HashSet<Graph>();
        var found = new HashSet<Value>();
        Visit(body);
        return found.Where(value => !inside.Contains(value.Graph));

        void Visit(Graph graph)
        {
            inside.Add(graph);
            foreach (Value output in graph.Outputs) found.Add(output);
            foreach (Node node in graph.Nodes)
            {
                foreach (Value? input in node.Inputs)
                {
                    if (input is not null) found.Add(input);
                }
                foreach (Graph inner in node.Subgraphs()) Visit(inner);
            }
        }
    }
}
