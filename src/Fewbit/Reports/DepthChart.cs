using System.Globalization;
using Fewbit.Evaluation;

namespace Fewbit.Reports;

/// <summary>Signal to noise of each value in the order of the graph, as a drawing of one size.</summary>
/// <param name="comparison">What is drawn.</param>
/// <param name="width">In pixels.</param>
/// <param name="height">In pixels.</param>
/// <param name="labels">Values that are named, the lowest ones, at most.</param>
internal sealed class DepthChart(ComparisonReport comparison, int width, int height, int labels)
{
    private const int Left = 46, RightMargin = 58, Top = 22, BottomMargin = 40, LongestName = 30;
    private const double LetterWidth = 6.6, LineHeight = 15;

    /// <summary>Beyond these decibels nothing is left but the rounding of float32; drawn as equal.</summary>
    private const double Highest = 100;

    /// <summary>Where a name may stand from its point, the nearest first.</summary>
    private static readonly double[] s_offsets = [20, 32, 46, -12, -26];

    private readonly (double Low, double High, double Step) _decibels = Range(comparison);

    private double Right => width - RightMargin;
    private double Bottom => height - BottomMargin;

    public Html Draw(string style)
    {
        Point[] points = [.. comparison.Layers.Select((layer, index) => new Point(index, layer)).Where(point => !double.IsNaN(point.Layer.SignalToNoise))];
        string line = string.Join('L', points.Select(point => string.Create(CultureInfo.InvariantCulture, $"{X(point.Index):0.#} {Y(point.Layer.SignalToNoise):0.#}")));
        string last = string.Create(CultureInfo.InvariantCulture, $"{X(points[^1].Index):0.#} {Bottom}"), first = string.Create(CultureInfo.InvariantCulture, $"{X(points[0].Index):0.#} {Bottom}");
        double radius = points.Length > (Right - Left) / 12 ? 2.5 : 4;
        return Html.Of($"""
            <svg class="depth {style}" viewBox="0 0 {width} {height}" role="img" aria-label="Signal to noise in decibels of {points.Length} values from input to output; the outputs have {Words.Digits(comparison.SignalToNoise)} dB">
            {Grid()}
            <path class="area" d="M{line}L{last}L{first}Z"/><path class="line" d="M{line}"/>
            {Alone()}
            {points.Select(point => Html.Of($"""<g class="point"><circle class="hit" cx="{X(point.Index)}" cy="{Y(point.Layer.SignalToNoise)}" r="9"/><circle class="dot{(point.Layer.SignalToNoise > Highest ? " exact" : "")}" cx="{X(point.Index)}" cy="{Y(point.Layer.SignalToNoise)}" r="{radius}"/><title>{point.Layer.Value}: {Decibels(point.Layer.SignalToNoise)} ({point.Layer.OpType} {point.Layer.Node})</title></g>"""))}
            {Outputs()}
            {Names(points)}
            <text class="tick" x="{Left}" y="{height - 6}">input</text><text class="tick" x="{(Left + Right) / 2}" y="{height - 6}" text-anchor="middle">position in the graph</text><text class="tick" x="{Right}" y="{height - 6}" text-anchor="end">output</text>
            </svg>
            """);
    }

    private double X(int index) => Left + (Right - Left) * (index + 0.5) / (comparison.Layers.Count + 1);

    private double Y(double decibels) => Bottom - (Bottom - Top) * (Math.Clamp(decibels, _decibels.Low, _decibels.High) - _decibels.Low) / (_decibels.High - _decibels.Low);

    /// <summary>Lines at round decibels, and what each means as a part of the magnitude.</summary>
    private Html Grid()
    {
        int count = (int)Math.Round((_decibels.High - _decibels.Low) / _decibels.Step);
        IEnumerable<double> levels = Enumerable.Range(0, count + 1).Select(i => _decibels.Low + i * _decibels.Step);
        Html lines = Html.Join(levels.Select(level => Html.Of(
            $"""<path class="grid" d="M{Left} {Y(level)}H{Right}"/><text class="tick" x="{Left - 8}" y="{Y(level) + 4}" text-anchor="end">{level}</text><text class="tick" x="{Right + 8}" y="{Y(level) + 4}">{Error(level)}</text>""")));
        int step = (int)Math.Max(1, Scale.Step(comparison.Layers.Count, width > 600 ? 12 : 5));
        IEnumerable<int> marks = Enumerable.Range(0, comparison.Layers.Count).Where(index => (index + 1) % step == 0);
        return Html.Of($"""<text class="tick" x="{Left - 8}" y="12" text-anchor="end">dB</text><text class="tick" x="{width - 2}" y="12" text-anchor="end">error</text>{lines}{marks.Select(index => Html.Of($"""<text class="tick" x="{X(index)}" y="{Bottom + 16}" text-anchor="middle">{index + 1}</text>"""))}""");
    }

    /// <summary>Each node quantized alone, where that was measured.</summary>
    private Html Alone()
    {
        Dictionary<string, int> places = [];
        foreach ((int index, LayerDifference layer) in comparison.Layers.Index()) places[layer.Layer.Length > 0 ? layer.Layer : layer.Node] = index;
        return Html.Join(comparison.Sensitivity.Where(node => places.ContainsKey(node.Node) && !double.IsNaN(node.SignalToNoise)).Select(node => Html.Of(
            $"""<g class="point"><path class="alone" d="M{X(places[node.Node]) - 4} {Y(node.SignalToNoise)}h8m-4 -4v8"/><title>{node.Node} alone: {Decibels(node.SignalToNoise)} at the outputs</title></g>""")));
    }

    private Html Outputs()
    {
        if (double.IsNaN(comparison.SignalToNoise)) return default;
        (double x, double y) = (X(comparison.Layers.Count), Y(comparison.SignalToNoise));
        return Html.Of($"""<g class="point"><path class="outputs" d="M{x} {y - 6}L{x + 6} {y}L{x} {y + 6}L{x - 6} {y}Z"/><title>outputs: {Decibels(comparison.SignalToNoise)}</title></g>""");
    }

    /// <summary>Names the lowest values where a name covers neither the line nor another name.</summary>
    private Html Names(Point[] points)
    {
        var taken = new List<Box>();
        var names = new List<Html>();
        foreach (Point point in points.Where(point => double.IsFinite(point.Layer.SignalToNoise)).OrderBy(point => point.Layer.SignalToNoise))
        {
            if (names.Count == labels) break;
            string name = Short(point.Layer.Layer.Length > 0 ? point.Layer.Layer : point.Layer.Value);
            double length = LetterWidth * name.Length, start = Math.Clamp(X(point.Index) - length / 2, Left + 4, Math.Max(Left + 4, Right - length));
            Box? place = s_offsets.Select(offset => new Box(start, start + length, Y(point.Layer.SignalToNoise) + offset)).Where(box => box.Line > Top && box.Line < Bottom - 4)
                .Cast<Box?>().FirstOrDefault(box => !taken.Exists(box!.Value.Covers) && !IsOnLine(points, box!.Value));
            if (place is not { } free) continue;
            taken.Add(free);
            names.Add(Html.Of($"""<text class="name" x="{free.Left}" y="{free.Line}">{name}</text>"""));
        }
        return Html.Join(names);
    }

    /// <summary>Whether the line of the chart runs through a box.</summary>
    private bool IsOnLine(Point[] points, Box box)
    {
        for (int i = 1; i < points.Length; i++)
        {
            (double x0, double y0, double x1, double y1) = (X(points[i - 1].Index), Y(points[i - 1].Layer.SignalToNoise), X(points[i].Index), Y(points[i].Layer.SignalToNoise));
            double from = Math.Max(x0, box.Left), to = Math.Min(x1, box.Right);
            if (from > to) continue;
            double At(double x) => y0 + (y1 - y0) * (x - x0) / (x1 - x0);
            if (Math.Max(At(from), At(to)) > box.Line - LineHeight && Math.Min(At(from), At(to)) < box.Line + 5) return true;
        }
        return false;
    }

    /// <summary>The error as a part of the magnitude.</summary>
    private static string Error(double decibels) => 100 * Math.Pow(10, -decibels / 20) is var percent && percent >= 10 ? $"{percent:0} %" : string.Create(CultureInfo.InvariantCulture, $"{percent:G2} %");

    private static string Decibels(double value) => double.IsPositiveInfinity(value) ? "equal" : $"{Words.Digits(value)} dB";

    private static string Short(string name) => name.Length <= LongestName ? name : $"{name[..(LongestName / 2 - 1)]}…{name[^(LongestName / 2)..]}";

    private static (double Low, double High, double Step) Range(ComparisonReport comparison)
    {
        double[] all = [.. comparison.Layers.Select(layer => layer.SignalToNoise).Append(comparison.SignalToNoise).Concat(comparison.Sensitivity.Select(node => node.SignalToNoise)).Where(double.IsFinite).Select(decibels => Math.Min(decibels, Highest))];
        if (all.Length == 0) return (0, 60, 10);
        double step = all.Max() - all.Min() > 90 ? 20 : 10;
        double low = step * Math.Floor(all.Min() / step - 0.2), high = step * Math.Ceiling(all.Max() / step);
        return (low, Math.Max(high, low + 2 * step), step);
    }

    private readonly record struct Point(int Index, LayerDifference Layer);

    /// <summary>The place of a name: its base line, and from where to where.</summary>
    private readonly record struct Box(double Left, double Right, double Line)
    {
        public bool Covers(Box other) => Left - 6 < other.Right && other.Left < Right + 6 && Math.Abs(Line - other.Line) < LineHeight;
    }
}
