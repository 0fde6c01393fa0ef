using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Passes;

/// <summary>Leaves a graph with nodes that can run: passes then meet none whose inputs nobody has checked.</summary>
internal static class RunnableNodes
{
    /// <summary>Removes what no output needs, and refuses what is not known or was not inferred.</summary>
    /// <exception cref="InvalidDataException">An output needs a node of an operator that is not supported, or whose types do not follow.</exception>
    public static void Keep(Graph graph)
    {
        HashSet<Node> needed = [.. Reachability.NodesFor(graph, graph.Outputs)];
        graph.RemoveNodes(graph.Nodes.Where(node => !needed.Contains(node)).ToHashSet());
        foreach (Node node in graph.Nodes)
        {
            _ = node.Operator;
            if (node.Outputs[0].Type == ElementType.Undefined) throw node.Fail($"the element type of output '{node.Outputs[0].Name}' does not follow from its inputs ({string.Join(", ", node.Inputs.Select(input => input?.ToString() ?? "none"))})");
        }
    }
}
