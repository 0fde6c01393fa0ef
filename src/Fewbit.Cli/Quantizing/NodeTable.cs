using Fewbit.Cli.Console;
using Fewbit.Quantization;

namespace Fewbit.Cli.Quantizing;

/// <summary>Requested against applied, node by node or in sums.</summary>
internal static class NodeTable
{
    /// <summary>41 on codes, 40 merged into others, 3 float.</summary>
    public static string Summary(IReadOnlyList<NodeReport> nodes)
    {
        (NodeOutcome Outcome, string Text)[] kinds =
            [(NodeOutcome.Integer, "on codes"), (NodeOutcome.Rounded, "rounded to codes"), (NodeOutcome.Merged, "merged into others or computed ahead"), (NodeOutcome.Float, "float"), (NodeOutcome.NotNumeric, "without real numbers")];
        return string.Join(", ", kinds.Select(kind => (kind.Text, Count: nodes.Count(node => node.Outcome == kind.Outcome))).Where(kind => kind.Count > 0).Select(kind => $"{kind.Count} {kind.Text}"));
    }

    /// <summary>A line for each operator and reason that stays float.</summary>
    public static IEnumerable<string> FloatReasons(IReadOnlyList<NodeReport> nodes)
    {
        const int shown = 3;
        foreach (var group in nodes.Where(node => node.Outcome == NodeOutcome.Float).GroupBy(node => (node.OpType, node.Reason)))
        {
            string[] names = [.. group.Select(node => node.Name)];
            string listed = string.Join(", ", names.Take(shown)) + (names.Length > shown ? ", ..." : "");
            yield return $"float: {names.Length} {group.Key.OpType} ({listed}): {group.Key.Reason}";
        }
    }

    public static void Write(IReadOnlyList<NodeReport> nodes, CommandOutput output)
    {
        output.Line();
        output.Table(["node", "operator", "requested", "applied", "why"], nodes.Select(node => (string[])[node.Name, node.OpType, node.Requested, node.Applied, node.Reason]));
    }
}
