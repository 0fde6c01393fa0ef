using Fewbit.Evaluation;
using Fewbit.Quantization;

namespace Fewbit.Reports;

/// <summary>Every layer: of the model's nodes where the quantization is known, else of the values that were compared.</summary>
internal static class LayerSection
{
    private static readonly ReportColumn s_name = new("Layer"), s_place = new("#", IsNumber: true), s_operator = new("Operator"), s_error = new("SNR, dB", IsNumber: true), s_alone = new("Alone, dB", IsNumber: true), s_flips = new("Labels flipped alone", IsNumber: true);

    public static Html Of(HtmlReport report)
    {
        if (report.Quantization is { Nodes.Count: > 0 } quantization) return OfNodes(quantization, report.Comparison);
        return report.Comparison is { Layers.Count: > 0 } comparison ? TableMarkup.Section("layers", OfValues(comparison)) : default;
    }

    private static Html OfNodes(QuantizationReport quantization, ComparisonReport? comparison)
    {
        var names = quantization.Nodes.Select(node => node.Name).ToHashSet(StringComparer.Ordinal);
        ILookup<string, LayerDifference> differences = (comparison?.Layers ?? []).ToLookup(layer => names.Contains(layer.Layer) ? layer.Layer : layer.Node, StringComparer.Ordinal);
        ILookup<string, WeightReport> weights = quantization.Weights.ToLookup(weight => weight.Node, StringComparer.Ordinal);
        ILookup<string, NodeSensitivity> alone = (comparison?.Sensitivity ?? []).ToLookup(node => node.Node, StringComparer.Ordinal);
        (ReportColumn Column, Func<int, NodeReport, ReportCell> Cell, bool IsShown)[] all =
        [
            (s_name, (_, node) => new(node.Name), true),
            (s_place, (place, _) => new($"{place}", place), true),
            (s_operator, (_, node) => new(node.OpType), true),
            (new("Outcome"), (_, node) => new(RequestedSection.Outcomes[node.Outcome], (int)node.Outcome), true),
            (s_error, (_, node) => Number(differences[node.Name].Select(layer => (double?)layer.SignalToNoise).Min()), differences.Count > 0),
            (s_alone, (_, node) => Number(alone[node.Name].Select(found => (double?)found.SignalToNoise).FirstOrDefault()), alone.Count > 0),
            (new("Weights", IsNumber: true), (_, node) => weights[node.Name].Sum(weight => weight.ElementCount) is > 0 and var count ? new(Words.Count(count), count) : new(""), weights.Count > 0),
            (new("Weights, dB", IsNumber: true), (_, node) => Number(weights[node.Name].Select(weight => (double?)weight.SignalToNoise).Min()), weights.Count > 0),
            (new("Requested"), (_, node) => new(node.Requested), true),
            (new("Applied"), (_, node) => new(node.Applied), true),
            (new("Why"), (_, node) => new(node.Reason), quantization.Nodes.Any(node => node.Reason.Length > 0)),
        ];
        (ReportColumn Column, Func<int, NodeReport, ReportCell> Cell, bool IsShown)[] shown = [.. all.Where(column => column.IsShown)];
        IEnumerable<Html> rows = quantization.Nodes.Select((node, index) => Html.Join(shown.Select((column, place) =>
            column.Column.Name == "Outcome" ? Html.Of($"<td data-value=\"{(int)node.Outcome}\"><span class=\"pill {RequestedSection.Class(node.Outcome)}\">{RequestedSection.Outcomes[node.Outcome]}</span></td>")
            : TableMarkup.Cell(column.Cell(index + 1, node), column.Column, place == 0))));
        return Html.Of($"""
            <section aria-labelledby="layers">
            <h2 id="layers">Layers</h2>
            <p>Every node of the original model, in its order.{(differences.Count > 0 ? " SNR: signal to noise of what the node computes, all error before it included." : "")}{(weights.Count > 0 ? " Weights, dB: signal to noise of its rounded weights alone." : "")}</p>
            {TableMarkup.Of("layers", [.. shown.Select(column => column.Column)], rows)}
            </section>
            """);
    }

    private static ReportTable OfValues(ComparisonReport comparison)
    {
        ILookup<string, NodeSensitivity> alone = comparison.Sensitivity.ToLookup(node => node.Node, StringComparer.Ordinal);
        bool hasAlone = alone.Count > 0, hasFlips = comparison.Sensitivity.Any(node => node.LabelFlips is not null);
        ReportColumn[] columns = [s_name, s_place, s_error, new("Cosine", IsNumber: true), .. hasAlone ? new[] { s_alone } : [], .. hasFlips ? new[] { s_flips } : [], new("Value"), s_operator];
        return new("Layers", "Each quantized value against the float model's, all error before it included.", columns, [.. comparison.Layers.Select((layer, index) => (ReportCell[])
        [
            new(layer is { Layer.Length: > 0 } ? layer.Layer : layer.Node.Length > 0 ? layer.Node : "(input)"), new($"{index + 1}", index + 1), Number(layer.SignalToNoise),
            new(layer.Cosine.ToString("F5", System.Globalization.CultureInfo.InvariantCulture), layer.Cosine),
            .. hasAlone ? new[] { Number(alone[layer.Layer].Select(node => (double?)node.SignalToNoise).FirstOrDefault()) } : [],
            .. hasFlips ? new[] { alone[layer.Layer].FirstOrDefault()?.LabelFlips is { } flips ? new ReportCell(Words.Percent(flips), flips) : new("") } : [],
            new(layer.Value), new(layer.OpType),
        ])]);
    }

    /// <summary>Infinity is sorted above everything, what is missing below.</summary>
    private static ReportCell Number(double? value) => value switch
    {
        null or double.NaN => new(""),
        double.PositiveInfinity => new("equal", double.MaxValue),
        { } number => new(Words.Digits(number), number),
    };
}
