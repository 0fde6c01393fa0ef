using Fewbit.Quantization;

namespace Fewbit.Reports;

/// <summary>Requested against applied, in sums: what became of how many nodes, and why where it is not what was asked for.</summary>
internal static class RequestedSection
{
    private const int ShownNames = 3;

    /// <summary>The outcomes in the order and words of people.</summary>
    public static IReadOnlyDictionary<NodeOutcome, string> Outcomes { get; } = new Dictionary<NodeOutcome, string>
    {
        [NodeOutcome.Integer] = "on codes", [NodeOutcome.Rounded] = "rounded", [NodeOutcome.Merged] = "merged", [NodeOutcome.Float] = "float", [NodeOutcome.NotNumeric] = "no numbers",
    };

    public static Html Of(HtmlReport report)
    {
        if (report.Quantization is not { Nodes.Count: > 0 } quantization) return default;
        (NodeOutcome Outcome, int Count)[] counts = [.. Outcomes.Keys.Select(outcome => (outcome, quantization.Nodes.Count(node => node.Outcome == outcome))).Where(pair => pair.Item2 > 0)];
        return Html.Of($"""
            <section aria-labelledby="requested">
            <h2 id="requested">Requested against applied</h2>
            {Stack(counts, quantization.Nodes.Count)}
            <ul class="legend">{counts.Select(pair => Html.Of($"<li class=\"{Class(pair.Outcome)}\">{pair.Count} {Outcomes[pair.Outcome]}</li>"))}</ul>
            <p>Without nodes that became part of others or were computed ahead, and those of which nothing was asked; the layers below are all.</p>
            {TableMarkup.Of("requested", Grouped(quantization.Nodes))}
            </section>
            """);
    }

    /// <summary>The name of an outcome in the style sheet.</summary>
    public static string Class(NodeOutcome outcome) => outcome.ToString().ToLowerInvariant();

    private static Html Stack((NodeOutcome Outcome, int Count)[] counts, int all)
    {
        var parts = new List<Html>();
        double at = 0;
        foreach ((NodeOutcome outcome, int count) in counts)
        {
            double width = 1000.0 * count / all;
            parts.Add(Html.Of($"""<rect class="{Class(outcome)}" x="{at}" width="{width}" height="10"/>"""));
            at += width;
        }
        return Html.Of($"""<svg class="stack" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">{parts}</svg>""");
    }

    private static ReportTable Grouped(IReadOnlyList<NodeReport> nodes)
    {
        NodeReport[] shown = [.. nodes.Where(node => node.Outcome is not (NodeOutcome.Merged or NodeOutcome.NotNumeric) && (node.Requested != node.Applied || node.Reason.Length > 0 || node.Outcome != NodeOutcome.Float))];
        bool hasReasons = shown.Any(node => node.Reason.Length > 0);
        ReportColumn[] columns = [new("Operator"), new("Nodes", IsNumber: true), new("Requested"), new("Applied"), .. hasReasons ? new ReportColumn[] { new("Why") } : [], new("Which")];
        var groups = shown.GroupBy(node => (node.OpType, node.Requested, node.Applied, node.Reason, node.Outcome)).OrderBy(group => group.Key.Outcome).ThenByDescending(group => group.Count());
        return new("", "", columns, [.. groups.Select(group => (ReportCell[])
        [
            new(group.Key.OpType), new($"{group.Count()}", group.Count()), new(group.Key.Requested), new(group.Key.Applied), .. hasReasons ? new ReportCell[] { new(group.Key.Reason) } : [],
            new(string.Join(", ", group.Take(ShownNames).Select(node => node.Name)) + (group.Count() > ShownNames ? ", …" : "")),
        ])]);
    }
}
