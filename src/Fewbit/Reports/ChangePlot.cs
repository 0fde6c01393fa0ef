namespace Fewbit.Reports;

/// <summary>The interval of a change, drawn around zero.</summary>
internal static class ChangePlot
{
    private const double Width = 360, Left = 20, Right = 340, Axis = 34;

    public static Html Of(ReportFigure figure)
    {
        (double change, double low, double high) = (100 * figure.Difference!.Value, 100 * figure.Difference.Interval!.Value.Low, 100 * figure.Difference.Interval.Value.High);
        double step = Scale.Step(Math.Max(high, 0) - Math.Min(low, 0), 4);
        double first = step * Math.Floor(Math.Min(low, 0) / step), last = step * Math.Ceiling(Math.Max(high, 0) / step);
        if (first == 0) first = -step;
        if (last == 0) last = step;
        double X(double value) => Left + (Right - Left) * (value - first) / (last - first);
        int ticks = (int)Math.Round((last - first) / step);
        IEnumerable<Html> marks = Enumerable.Range(0, ticks + 1).Select(i => first + i * step).Select(value => Html.Of(
            $"""<path class="{(Math.Abs(value) < step / 2 ? "zero" : "grid")}" d="M{X(value)} 6V{Axis}"/><text class="tick" x="{X(value)}" y="50" text-anchor="middle">{Tick(value, step)}</text>"""));
        return Html.Of($"""
            <svg class="change" viewBox="0 0 {Width} 70" role="img" aria-label="{figure.Name} changes by {figure.ChangeText()}, 95 %: {figure.ChangeIntervalText()}">
            {marks}
            <path class="range" d="M{X(low)} 20H{X(high)}"/><path class="end" d="M{X(low)} 13V27M{X(high)} 13V27"/><circle class="dot" cx="{X(change)}" cy="20" r="5.5"/>
            <text class="tick" x="{Width / 2}" y="66" text-anchor="middle">points of {figure.Name} against float</text>
            </svg>
            """);
    }

    private static string Tick(double value, double step) => Math.Abs(value) < step / 2 ? "0" : value.ToString("+0.####;-0.####", System.Globalization.CultureInfo.InvariantCulture);
}
