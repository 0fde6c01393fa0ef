namespace Fewbit.Graphs;

/// <summary>What of a model the engine cannot run.</summary>
public static class UnsupportedNodesExtensions
{
    /// <summary>The nodes, those of subgraphs too, whose operator the engine does not know, in their order.</summary>
    public static IEnumerable<Node> UnsupportedNodes(this Graph graph) =>
        graph.Nodes.SelectMany(node => node.IsSupported ? node.Subgraphs().SelectMany(UnsupportedNodes) : [node]);
}
