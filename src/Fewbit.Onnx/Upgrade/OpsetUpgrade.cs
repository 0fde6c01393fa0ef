using Fewbit.Graphs;
using Fewbit.Graphs.Operators;

namespace Fewbit.Onnx.Upgrade;

/// <summary>Rewrites a graph so that it means under a later opset what it means under its own.</summary>
/// <remarks>
/// A rule belongs to an operator and to the opset that changed it; the rules of a node are applied in the order of opsets.
/// Changes that only widen what an operator takes (types, negative axes, further attributes with the old meaning as default) need no rule.
/// </remarks>
internal sealed class OpsetUpgrade
{
    /// <summary>What models below it are rewritten to on load. Later opsets are left as they are, since operators read the opset of their graph, unless functions are written for another one.</summary>
    public const int Target = 13;

    private static readonly Dictionary<string, (int ChangedIn, Action<NodeRewriter> Rewrite)[]> Rules = new(StringComparer.Ordinal)
    {
        ["BatchNormalization"] = [(9, Normalization.DropSpatial)],
        ["Clip"] = [(11, AttributesToInputs.Clip)],
        ["Dropout"] = [(10, AttributesToInputs.DropoutMask), (12, AttributesToInputs.DropoutRatio)],
        ["DFT"] = [(20, AttributesToInputs.FourierAxis)],
        ["GridSample"] = [(20, Resampling.GridSample20)],
        ["GroupNormalization"] = [(21, Normalization.ScaleChannels)],
        ["Hardmax"] = [(13, FlattenedAxis.Rewrite)],
        ["LogSoftmax"] = [(13, FlattenedAxis.Rewrite)],
        ["Pad"] = [(11, AttributesToInputs.Pad)],
        ["ReduceL1"] = [(18, AttributesToInputs.Axes)],
        ["ReduceL2"] = [(18, AttributesToInputs.Axes)],
        ["ReduceLogSum"] = [(18, AttributesToInputs.Axes)],
        ["ReduceLogSumExp"] = [(18, AttributesToInputs.Axes)],
        ["ReduceMax"] = [(18, AttributesToInputs.Axes)],
        ["ReduceMean"] = [(18, AttributesToInputs.Axes)],
        ["ReduceMin"] = [(18, AttributesToInputs.Axes)],
        ["ReduceProd"] = [(18, AttributesToInputs.Axes)],
        ["ReduceSumSquare"] = [(18, AttributesToInputs.Axes)],
        ["ReduceSum"] = [(13, AttributesToInputs.Axes)],
        ["Resize"] = [(11, Resampling.Resize10), (13, Resampling.Resize11)],
        ["RoiAlign"] = [(16, Resampling.RoiAlign16)],
        ["Scan"] = [(9, BatchedScan.Rewrite)],
        ["Scatter"] = [(11, node => node.Replace("ScatterElements", node.Node.Inputs))],
        ["Slice"] = [(10, AttributesToInputs.Slice)],
        ["Softmax"] = [(13, FlattenedAxis.Rewrite)],
        ["Split"] = [(13, AttributesToInputs.Split), (18, AttributesToInputs.SplitCount)],
        ["Squeeze"] = [(13, AttributesToInputs.Axes)],
        ["TopK"] = [(10, AttributesToInputs.TopK)],
        ["Unsqueeze"] = [(13, AttributesToInputs.Axes)],
        ["Upsample"] = [(10, Resampling.Upsample)],
    };

    private readonly Dictionary<Node, int> _stated = [];

    /// <summary>States that a node, with its subgraphs, is written for another opset than its model's.</summary>
    public void State(Node node, int opset) => _stated[node] = opset;

    /// <summary>Upgrades a model to <see cref="Target"/>, or to the latest opset that a node of it is written for; does nothing where all nodes have one opset from there on.</summary>
    /// <exception cref="InvalidDataException">A node has no equivalent; the message names it.</exception>
    public void Run(Graph graph)
    {
        int from = graph.OpsetVersion(""), to = Math.Max(Target, _stated.Values.Append(from).Max());
        if (from >= Target && _stated.Count == 0) return;
        graph.Opsets[""] = to;
        Run(graph, from, to);
    }

    /// <summary>Rewrites a model of opset <see cref="Target"/> or later to a later one.</summary>
    public static void Raise(Graph graph, int to)
    {
        int from = graph.OpsetVersion("");
        graph.Opsets[""] = to;
        new OpsetUpgrade().Run(graph, from, to);
    }

    /// <summary>Inputs that the rules of an operator read without a question.</summary>
    private static int RequiredInputs(Node node, int from) => node.OpType switch
    {
        "BatchNormalization" => 5,
        "Resize" when from <= 10 => 2,
        // Its first input may be left out.
        "Scan" => 0,
        _ => 1,
    };

    private void Run(Graph graph, int modelOpset, int to)
    {
        foreach (Node node in graph.Nodes.ToArray())
        {
            foreach (Graph body in node.Subgraphs()) Run(body, modelOpset, to);
            int from = _stated.GetValueOrDefault(node, modelOpset);
            var rewriter = new NodeRewriter(node);
            if (node.Domain.Length == 0 && Rules.TryGetValue(node.OpType, out var rules))
            {
                node.ExpectInputs(RequiredInputs(node, from), int.MaxValue);
                foreach ((int changedIn, Action<NodeRewriter> rewrite) in rules)
                {
                    if (from < changedIn && changedIn <= to) rewrite(rewriter);
                }
            }
            // Later rules need ranks and types.
            Inference.InferNode(rewriter.Node);
        }
    }
}
