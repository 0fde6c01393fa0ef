using Fewbit.Evaluation;

namespace Fewbit.Reports;

/// <summary>Accuracy, size and time, each a card of figures with float and model below each other.</summary>
internal static class FigureCards
{
    private const double Full = 1000;

    public static Html Of(HtmlReport report)
    {
        Html cards = Html.Of($"""
            {Card("accuracy", "Accuracy", report, report.Accuracy, Interval)}{Card("size", "Size", report, report.Sizes, figure => Bar(figure, Largest([figure])))}{Card("time", "Time of one run", report, report.Times, figure => Bar(figure, Largest(report.Times)))}
            """);
        return report.Accuracy.Count + report.Sizes.Count + report.Times.Count == 0 ? default : Html.Of($"<div class=\"cards\">\n{cards}\n</div>");
    }

    private static Html Card(string id, string title, HtmlReport report, IReadOnlyList<ReportFigure> figures, Func<ReportFigure, Func<Measured, Html>> plot) => figures.Count == 0 ? default : Html.Of($"""
        <section class="card" aria-labelledby="{id}">
        <h2 id="{id}">{title}</h2>
        {figures.Select(figure => Figure(figure, report.ModelLabel, plot(figure)))}</section>

        """);

    private static Html Figure(ReportFigure figure, string modelLabel, Func<Measured, Html> plot)
    {
        string interval = figure.ChangeIntervalText();
        Html change = figure.Difference is null ? default : Html.Of($"""<span class="by">{figure.ChangeText()}</span>{(interval.Length == 0 ? default : Html.Of($"""<span class="small">95 %: {interval}</span>"""))}""");
        return Html.Of($"""
            <div class="figure"><div class="head"><h3><bdi>{figure.Name}</bdi></h3>{change}</div>
            {Row("float", "of-float", figure, figure.Float, plot)}{Row(modelLabel, "of-model", figure, figure.Model, plot)}{(figure.Remark.Length == 0 ? default : Html.Of($"<p class=\"small\">{figure.Remark}</p>"))}</div>

            """);
    }

    private static Html Row(string label, string kind, ReportFigure figure, Measured? measured, Func<Measured, Html> plot)
    {
        if (measured is null) return default;
        string interval = figure.IntervalText(measured);
        return Html.Of($"""<div class="row {kind}"><span class="label">{label}</span>{plot(measured)}<span class="value">{figure.Text(measured.Value)}</span>{(interval.Length == 0 ? default : Html.Of($"<span class=\"small interval\">{interval}</span>"))}</div>""");
    }

    /// <summary>A bar from zero, its interval as a line across its end.</summary>
    private static Func<Measured, Html> Bar(ReportFigure figure, double largest) => measured =>
    {
        double X(double value) => largest > 0 ? Full * Math.Clamp(value / largest, 0, 1) : 0;
        Html whisker = measured.Interval is { } interval ? Html.Of($"""<path class="whisker" d="M{X(interval.Low)} 5H{X(interval.High)}M{X(interval.Low)} 2V8M{X(interval.High)} 2V8"/>""") : default;
        return Html.Of($"""<svg class="plot" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="1000" height="10" rx="2"/><rect class="bar" width="{X(measured.Value)}" height="10"/>{whisker}</svg>""");
    };

    /// <summary>The interval of a share on an axis that spans those of both models; others have no plot.</summary>
    private static Func<Measured, Html> Interval(ReportFigure figure)
    {
        Interval[] intervals = [.. new[] { figure.Float?.Interval, figure.Model?.Interval }.OfType<Interval>()];
        if (intervals.Length == 0 || intervals.Any(interval => !double.IsFinite(interval.High - interval.Low))) return _ => Html.Of($"<span></span>");
        double low = intervals.Min(interval => interval.Low), high = intervals.Max(interval => interval.High), margin = Math.Max(0.1 * (high - low), 1e-9);
        (low, high) = (low - margin, high + margin);
        double X(double value) => Full * (value - low) / (high - low);
        return measured => measured.Interval is not { } interval ? Html.Of($"<span></span>") : Html.Of(
            $"""<svg class="plot" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="1000" height="10" rx="2"/><rect class="span" x="{X(interval.Low)}" width="{X(interval.High) - X(interval.Low)}" height="10"/><path class="point" d="M{X(measured.Value)} 0V10"/></svg>""");
    }

    private static double Largest(IEnumerable<ReportFigure> figures) =>
        figures.SelectMany(figure => new[] { figure.Float, figure.Model }).OfType<Measured>().Select(measured => Math.Max(measured.Value, measured.Interval?.High ?? 0)).DefaultIfEmpty(1).Max();
}
