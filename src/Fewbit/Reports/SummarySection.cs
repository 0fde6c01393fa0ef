namespace Fewbit.Reports;

/// <summary>The verdict and the three numbers that decide: accuracy, size, time.</summary>
internal static class SummarySection
{
    public static Html Of(HtmlReport report)
    {
        (string Name, ReportFigure? Figure)[] heroes = [("Accuracy", First(report.Accuracy)), ("Size", First(report.Sizes)), ("Time", First(report.Times))];
        if (report.Verdict is null && heroes.All(hero => hero.Figure is null)) return default;
        Html numbers = Html.Join(heroes.Where(hero => hero.Figure is not null).Select(hero => Hero(hero.Name, hero.Figure!)));
        string level = report.Verdict?.Level.ToString().ToLowerInvariant() ?? "none";
        Html words = report.Verdict is { } verdict ? Html.Of($"""<h2 id="verdict">{Icon(verdict.Level)}{verdict.Headline}</h2><p class="detail">{verdict.Detail}</p>""") : Html.Of($"""<h2 id="verdict">Not judged</h2><p class="detail">No data were given to judge accuracy on.</p>""");
        ReportFigure? change = report.Accuracy.FirstOrDefault(figure => figure is { Unit: FigureUnit.Share, Difference.Interval: not null });
        return Html.Of($"""
            <section class="verdict {level}" aria-labelledby="verdict">
            <div class="words">{words}</div>
            {(change is null ? default : ChangePlot.Of(change))}
            <dl class="heroes">{numbers}</dl>
            </section>
            """);
    }

    private static ReportFigure? First(IReadOnlyList<ReportFigure> figures) => figures is [var first, ..] ? first : null;

    private static Html Hero(string name, ReportFigure figure)
    {
        bool hasChange = figure.Difference is not null;
        string value = hasChange ? figure.ChangeText() : figure.Text(figure.Model!.Value), interval = hasChange ? figure.ChangeIntervalText() : figure.IntervalText(figure.Model);
        string beside = hasChange ? $"{figure.Text(figure.Float!.Value)} → {figure.Text(figure.Model!.Value)}" : "";
        return Html.Of($"""<div><dt>{name}: {figure.Name}</dt><dd class="main">{value}</dd>{Line(interval.Length == 0 ? "" : $"95 %: {interval}")}{Line(beside)}</div>""");
    }

    private static Html Line(string text) => text.Length == 0 ? default : Html.Of($"""<dd class="small">{text}</dd>""");

    private static Html Icon(VerdictLevel level)
    {
        string path = level switch
        {
            VerdictLevel.Good => "M6 12.5l4 4 8-9",
            VerdictLevel.Open => "M9 9.2a3 3 0 1 1 4.2 2.8c-.8.4-1.2 1-1.2 2M12 17.2v.1",
            VerdictLevel.Loss => "M12 6.5v7M12 17.2v.1",
            _ => "M8 8l8 8M16 8l-8 8",
        };
        return Html.Of($"""<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="11"/><path d="{path}"/></svg>""");
    }
}
