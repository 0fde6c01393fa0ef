using Fewbit.Graphs;

namespace Fewbit.Onnx.Upgrade;

/// <summary>Rewrites a graph so that it means under a later opset what it means under its own.</summary>
/// <remarks>
/// A rule belongs to an operator and to the opset that changed it; the rules of a node are applied in the order of opsets.
/// Changes that only widen what an operator takes (types, negative axes, further attributes with the old meaning as default) need no rule.
/// </remarks>
internal static class OpsetUpgrade
{
    /// <summary>What models below it are rewritten to on load. Later opsets are left as they are: operators read the opset of their node.</summary>
    public const int Target = 13;

    private static readonly Dictionary<string, (int ChangedIn, Action<NodeRewriter> Rewrite)[]> Rules = new(StringComparer.Ordinal)
    {
        ["BatchNormalization"] = [(9, Normalization.DropSpatial)],
        ["Clip"] = [(11, AttributesToInputs.Clip)],
        ["Dropout"] = [(10, AttributesToInputs.DropoutMask), (12, AttributesToInputs.DropoutRatio)],
        ["Hardmax"] = [(13, FlattenedAxis.Rewrite)],
        ["LogSoftmax"] = [(13, FlattenedAxis.Rewrite)],
        ["Pad"] = [(11, AttributesToInputs.Pad)],
        ["ReduceSum"] = [(13, AttributesToInputs.Axes)],
        ["Resize"] = [(11, Resampling.Resize10), (13, Resampling.Resize11)],
        ["Scan"] = [(9, BatchedScan.Rewrite)],
        ["Scatter"] = [(11, node => node.Replace("ScatterElements", node.Node.Inputs))],
        ["Slice"] = [(10, AttributesToInputs.Slice)],
        ["Softmax"] = [(13, FlattenedAxis.Rewrite)],
        ["Split"] = [(13, AttributesToInputs.Split)],
        ["Squeeze"] = [(13, AttributesToInputs.Axes)],
        ["TopK"] = [(10, AttributesToInputs.TopK)],
        ["Unsqueeze"] = [(13, AttributesToInputs.Axes)],
        ["Upsample"] = [(10, Resampling.Upsample)],
    };

    /// <summary>Upgrades a model to <see cref="Target"/>; does nothing where it has that opset or a later one.</summary>
    /// <exception cref="InvalidDataException">A node has no equivalent; the message names it.</exception>
    public static void Run(Graph graph)
    {
        int from = graph.OpsetVersion("");
        if (from >= Target) return;
        graph.Opsets[""] = Target;
        Run(graph, from);
    }

    private static void Run(Graph graph, int from)
    {
        foreach (Node node in graph.Nodes.ToArray())
        {
            foreach (Graph body in node.Subgraphs()) Run(body, from);
            var rewriter = new NodeRewriter(node);
            if (node.Domain.Length == 0 && Rules.TryGetValue(node.OpType, out var rules))
            {
                foreach ((int changedIn, Action<NodeRewriter> rewrite) in rules)
                {
                    if (from < changedIn && changedIn <= Target) rewrite(rewriter);
                }
            }
            // Later rules need ranks and types.
            Inference.InferNode(rewriter.Node);
        }
    }
}
