using System.Globalization;
using System.Text.Json.Serialization;
using Fewbit.Evaluation;

namespace Fewbit.Cli.Judging;

/// <summary>The value of a metric, for reports.</summary>
internal sealed class JudgedScore(PairedScore score)
{
    /// <summary>All of it.</summary>
    [JsonIgnore]
    public PairedScore Paired => score;

    /// <summary>Its name on the command line.</summary>
    public string Metric => score.Metric.Name;

    public string Unit => score.Metric.Unit;

    public bool IsHigherBetter => score.Metric.IsHigherBetter;

    public int Samples => score.Samples;

    public double Float => score.Reference;

    public double Value => score.Model;

    public double ValueLow => score.ModelInterval.Low;

    public double ValueHigh => score.ModelInterval.High;

    public double Difference => score.Difference;

    public double DifferenceLow => score.Interval.Low;

    public double DifferenceHigh => score.Interval.High;

    /// <summary>What the model is worse by at most, at one-sided 95 %.</summary>
    public double DropBound => score.DropBound;

    public IReadOnlyList<ScoreDetail> Details => score.Details;

    /// <summary>Of each sample; null for class scores, where they are 0 or 1.</summary>
    public IReadOnlyList<double>? FloatSamples => IsOfClasses ? null : score.ReferenceSamples;

    public IReadOnlyList<double>? ValueSamples => IsOfClasses ? null : score.ModelSamples;

    [JsonIgnore]
    public string Title => score.Metric.Title;

    /// <summary>True where the table of class scores says all of it.</summary>
    [JsonIgnore]
    public bool IsOfClasses => score.Metric == Evaluation.Metric.Top1 || score.Metric == Evaluation.Metric.Agreement;

    /// <summary>32.21 dB (95 %: 28.1 to 36.3), on 5 samples.</summary>
    public string ValueText() => $"{Text(Value)} (95 %: {Text(ValueLow)} to {Text(ValueHigh)}) on {Words.Plural(Samples, "sample")}"
        + string.Concat(score.Details.Where(detail => detail.Reference != 0 || detail.Model != 0).Select(detail => $"; {detail.Name} {Detail(detail, detail.Model)}"));

    /// <summary>The rows of a table: what, float, model, change.</summary>
    public IEnumerable<IReadOnlyList<string>> Rows()
    {
        yield return [Title, Text(Float), Text(Value), $"{Change(Difference)} (95 %: {Change(DifferenceLow)} to {Change(DifferenceHigh)}) on {Words.Plural(Samples, "sample")}"];
        foreach (ScoreDetail detail in score.Details) yield return [detail.Name, detail.Reference is { } reference ? Detail(detail, reference) : "", Detail(detail, detail.Model), ""];
    }

    private string Text(double value) => score.Metric.IsShare ? Words.Percent(value, 2) : $"{Number(value)} {Unit}".TrimEnd();

    private string Change(double value) => score.Metric.IsShare ? $"{Words.Points(value, 2)} points" : $"{(value > 0 ? "+" : "")}{Number(value)} {Unit}".TrimEnd();

    private static string Detail(ScoreDetail detail, double value) => $"{(value == Math.Floor(value) && Math.Abs(value) >= 1 ? value.ToString("F0", CultureInfo.InvariantCulture) : Number(value))} {detail.Unit}".TrimEnd();

    /// <summary>Four digits, and at most four behind the point.</summary>
    private static string Number(double value) => !double.IsFinite(value) ? Words.Digits(value)
        : value.ToString(Math.Abs(value) switch { >= 1000 => "F0", >= 100 => "F1", >= 10 => "F2", >= 1 => "F3", _ => "F4" }, CultureInfo.InvariantCulture);
}
