using Fewbit.Graphs;

namespace Fewbit.Reconstruction;

/// <summary>Branches that leave one value and meet again in one node: residual blocks, squeeze-and-excitation gates, Inception modules.</summary>
/// <param name="Join">The node in which the branches meet; its output is the region's only one.</param>
/// <param name="Nodes">All nodes between the fork and the join, the join included.</param>
/// <param name="IsGate">True where the join multiplies the fork's value itself, as in squeeze-and-excitation and x · sigmoid(x).</param>
internal sealed record BranchRegion(Node Join, IReadOnlySet<Node> Nodes, bool IsGate)
{
    /// <summary>The closed regions of a graph: nothing but the join's output is read outside.</summary>
    public static IEnumerable<BranchRegion> Of(Graph graph, ActivationFlow flow)
    {
        foreach (Node node in graph.Nodes)
        {
            if (!ActivationFlow.IsReal(node) || node.Outputs.Count != 1 || ActivationFlow.Reads(node) is not { Count: > 1 } operands) continue;
            if (Between(flow, node) is not { } nodes || !IsClosed(node, nodes)) continue;
            yield return new(node, nodes, node.Is("Mul") && operands.Any(operand => flow.SourceOf(operand) == flow.DominatorOf(node)));
        }
    }

    /// <summary>The nodes on the paths from the join's dominator to it; null where only the model's inputs together dominate it.</summary>
    private static HashSet<Node>? Between(ActivationFlow flow, Node join)
    {
        int fork = flow.DominatorOf(join);
        if (fork == 0) return null;
        var found = new HashSet<Node> { join };
        var open = new Stack<Node>([join]);
        while (open.TryPop(out Node? node))
        {
            foreach (Value read in ActivationFlow.Reads(node))
            {
                if (flow.SourceOf(read) != fork && read.Producer is { } producer && found.Add(producer)) open.Push(producer);
            }
        }
        return found;
    }

    private static bool IsClosed(Node join, HashSet<Node> nodes) =>
        nodes.All(node => node == join || node.Outputs.All(output => !output.IsOutput && output.Uses.All(use => nodes.Contains(use.Node) || !ActivationFlow.IsReal(use.Node))));
}
