using Fewbit.Graphs.Operators;

namespace Fewbit.Graphs.Passes;

/// <summary>ReduceMean over all spatial dimensions of [N, C, ...] becomes GlobalAveragePool, with a Flatten behind it where the dimensions are dropped.</summary>
/// <remarks>
/// Runtimes have integer kernels for GlobalAveragePool, and none for ReduceMean. The means of a normalization written out in nodes are left:
/// over the last of three dimensions they look alike, and runtimes fuse the whole into LayerNormalization.
/// </remarks>
public sealed class ReplaceReduceMean : IPass
{
    /// <inheritdoc/>
    public string Name => "replace ReduceMean";

    /// <inheritdoc/>
    public PassReport Run(Graph graph)
    {
        var report = new PassReport(Name);
        foreach (Node node in graph.Nodes.Where(node => node.Is("ReduceMean")).ToArray())
        {
            if (Obstacle(node) is { } reason) report.Skip(node, reason);
            else Replace(node, report);
        }
        graph.RemoveUnusedValues();
        return report;
    }

    private static string? Obstacle(Node node)
    {
        if (node.Input(0)?.Shape is not { } shape) return "its input has an unknown rank";
        if (shape.Rank < 3) return $"its input has shape {shape}, no [N, C, ...]";
        if (Axes(node) is not { } axes) return "its axes are not constant";
        if (IsOfNormalization(node)) return "it is the mean or variance of a normalization";
        var spatial = axes.Select(axis => axis < 0 ? axis + shape.Rank : axis).Order();
        return spatial.SequenceEqual(Enumerable.Range(2, shape.Rank - 2).Select(axis => (long)axis)) ? null : $"its axes [{string.Join(", ", axes)}] are not the spatial ones";
    }

    /// <summary>The mean of squares, or a mean that is subtracted from what it is the mean of.</summary>
    private static bool IsOfNormalization(Node node)
    {
        Value input = node.Inputs[0]!;
        bool isSquare = input.Producer is { } source && (source.Is("Pow") || (source.Is("Mul") && source.Inputs[0] == source.Inputs[1]));
        return isSquare || node.Outputs[0].Uses.Any(use => use.Node.Is("Sub") && use.Index == 1 && use.Node.Inputs[0] == input);
    }

    private static long[]? Axes(Node node)
    {
        if (node.Ints("axes") is { } axes) return axes;
        return node.Input(1) is null ? [] : node.Input(1)!.IsConstant ? node.ReadInts(node.Input(1)!.Constant!) : null;
    }

    private static void Replace(Node node, PassReport report)
    {
        Graph graph = node.Graph;
        bool keeps = node.Int("keepdims", 1) != 0;
        (Value input, Value output, int index, string name) = (node.Inputs[0]!, node.Outputs[0], graph.IndexOf(node), node.Name);
        report.Change(node, keeps ? "replaced by GlobalAveragePool" : "replaced by GlobalAveragePool and Flatten");
        graph.Remove(node);
        if (keeps)
        {
            graph.InsertNode(index, "", "GlobalAveragePool", name, [input], [output], []);
            return;
        }
        Node pool = graph.InsertNode(index, "", "GlobalAveragePool", [input], name: name);
        graph.InsertNode(index + 1, "", "Flatten", name + "/flatten", [pool.Outputs[0]], [output], new() { { "axis", 1 } });
    }
}
