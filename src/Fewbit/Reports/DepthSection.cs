using Fewbit.Evaluation;

namespace Fewbit.Reports;

/// <summary>The error by depth: the chart, in a wide and a narrow drawing of which the style sheet shows one.</summary>
internal static class DepthSection
{
    public static Html Of(HtmlReport report)
    {
        if (report.Comparison is not { } comparison || comparison.Layers.Count(layer => !double.IsNaN(layer.SignalToNoise)) < 2) return default;
        bool hasAlone = comparison.Sensitivity.Count > 0;
        LayerDifference[] finite = [.. comparison.Layers.Where(layer => double.IsFinite(layer.SignalToNoise))];
        LayerDifference? worst = finite.MinBy(layer => layer.SignalToNoise);
        Html lowest = worst is null ? default : Html.Of($" The lowest is at <bdi><code>{(worst.Layer.Length > 0 ? worst.Layer : worst.Value)}</code></bdi>.");
        return Html.Of($"""
            <section aria-labelledby="depth">
            <h2 id="depth">Error by depth</h2>
            <p>Each value of the quantized model against the same value of the float model, all error before it included, on {report.ComparedOn}. Higher is better.{lowest}</p>
            <ul class="legend"><li class="of-model">signal to noise of the value, up to here</li><li class="outputs">outputs: {Words.Digits(comparison.SignalToNoise)} dB</li>{(hasAlone ? Html.Of($"<li class=\"alone\">of the outputs, if this node alone is quantized</li>") : default)}</ul>
            {new DepthChart(comparison, 1040, 320, labels: 4).Draw("wide")}
            {new DepthChart(comparison, 350, 280, labels: 2).Draw("narrow")}
            </section>
            """);
    }
}
