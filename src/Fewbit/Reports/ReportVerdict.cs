using System.Globalization;
using Fewbit.Evaluation;

namespace Fewbit.Reports;

/// <summary>How a verdict is to be taken.</summary>
public enum VerdictLevel
{
    /// <summary>Nothing, or next to nothing, was lost.</summary>
    Good,
    /// <summary>The samples do not suffice to tell.</summary>
    Open,
    /// <summary>Something was lost.</summary>
    Loss,
    /// <summary>So much was lost that the model is of doubtful use.</summary>
    Severe,
}

/// <summary>One sentence on a quantized model, and what it rests on.</summary>
/// <param name="Level">How it is to be taken.</param>
/// <param name="Headline">The sentence.</param>
/// <param name="Detail">Its grounds.</param>
public sealed record ReportVerdict(VerdictLevel Level, string Headline, string Detail)
{
    /// <summary>A loss that is called small, and one that is called severe: in parts of one.</summary>
    private const double Small = 0.01, Severe = 0.05;

    /// <summary>Outputs so far above the noise, in decibels, are called close, or usable.</summary>
    private const double Close = 30, Usable = 15;

    /// <summary>Judges by top-1 of both models on the same samples.</summary>
    /// <param name="difference">The model's minus the float model's, -1 to 1.</param>
    /// <param name="interval">Its 95 % interval.</param>
    /// <param name="p">McNemar's exact p.</param>
    /// <param name="samples">Labelled samples.</param>
    public static ReportVerdict OfAccuracy(double difference, Interval interval, double p, long samples)
    {
        string found = $"Top-1 changes by {Words.Points(difference, 2)} points (95 %: {Words.Points(interval.Low, 2)} to {Words.Points(interval.High, 2)}), {P(p)}, on {Words.Plural(samples, "sample")}";
        if (p < 0.05 && difference < 0)
        {
            VerdictLevel level = interval.High < -Severe ? VerdictLevel.Severe : VerdictLevel.Loss;
            return new(level, $"Loses {Words.Points(-difference, 2).TrimStart('+')} points of accuracy", $"{found}: a real loss.");
        }
        if (p < 0.05) return new(VerdictLevel.Good, "More accurate than the float model on these samples", $"{found}.");
        return interval.Low > -Small
            ? new(VerdictLevel.Good, "As accurate as the float model", $"{found}: not distinguishable. A loss of more than a point is ruled out.")
            : new(VerdictLevel.Open, "No loss of accuracy can be shown", $"{found}: not distinguishable, but a loss of up to {Words.Points(-interval.Low, 2).TrimStart('+')} points is not ruled out. More samples would tell.");
    }

    /// <summary>Judges by any metric of both models on the same samples: a loss of less than a hundredth of the float model's value is called small.</summary>
    public static ReportVerdict OfScore(PairedScore score)
    {
        ArgumentNullException.ThrowIfNull(score);
        double scale = score.Metric.IsShare ? 1 : Math.Abs(score.Reference), least = score.Metric.IsHigherBetter ? -score.Interval.High : score.Interval.Low, most = score.Metric.IsHigherBetter ? -score.Interval.Low : score.Interval.High;
        ReportFigure figure = EvaluationFigures.Of(score).First();
        string title = score.Metric.Title, found = $"On {Words.Plural(score.Samples, "sample")}, {title} goes from {figure.Text(score.Reference)} to {figure.Text(score.Model)}: {figure.ChangeText()} (95 %: {figure.ChangeIntervalText()})";
        if (most < Small * scale) return new(VerdictLevel.Good, least > 0 ? $"Next to nothing of the {title} is lost" : $"The {title} is that of the float model", $"{found}. A loss of more than a hundredth is ruled out.");
        if (least <= 0) return new(VerdictLevel.Open, $"No loss of {title} can be shown", $"{found}: not distinguishable, but a larger loss is not ruled out. More samples would tell.");
        return new(least > Severe * scale ? VerdictLevel.Severe : VerdictLevel.Loss, $"The {title} gets worse: {figure.ChangeText()}", $"{found}: a real loss.");
    }

    /// <summary>Judges by the share of samples on which both models rank the same class first.</summary>
    /// <param name="agreement">That share.</param>
    /// <param name="samples">Samples.</param>
    public static ReportVerdict OfAgreement(double agreement, long samples)
    {
        Interval interval = PairedStatistics.OfProportion((long)Math.Round(agreement * samples), samples);
        VerdictLevel level = interval.Low >= 1 - Small ? VerdictLevel.Good : interval.High >= 1 - Small ? VerdictLevel.Open : agreement >= 1 - 2 * Severe ? VerdictLevel.Loss : VerdictLevel.Severe;
        return new(level, $"Ranks the float model's class first on {Words.Percent(agreement)} of the samples",
            $"95 %: {Words.Percent(interval.Low, 2)} to {Words.Percent(interval.High, 2)}, on {Words.Plural(samples, "sample")} without labels. Labels would tell how many of the changed answers were right.");
    }

    /// <summary>Judges by how far the outputs lie above the quantization noise.</summary>
    /// <param name="decibels">Signal to noise of the worst output.</param>
    /// <param name="samples">What it was measured on: "24 samples".</param>
    public static ReportVerdict OfOutputs(double decibels, string samples)
    {
        if (double.IsNaN(decibels)) return new(VerdictLevel.Open, "Outputs could not be compared", $"Measured on {samples}: they hold NaN, or nothing in float32.");
        string grounds = $"Measured on {samples}. {(double.IsPositiveInfinity(decibels) ? "Outputs are equal." : string.Create(CultureInfo.InvariantCulture, $"The error of the outputs is {100 * Math.Pow(10, -decibels / 20):0.##} % of their magnitude."))} What that costs in the task, labelled data would tell.";
        return decibels >= Close ? new(VerdictLevel.Good, $"Outputs stay close to the float model's: {Words.Digits(decibels)} dB", grounds)
            : decibels >= Usable ? new(VerdictLevel.Loss, $"Outputs differ from the float model's: {Words.Digits(decibels)} dB", grounds)
            : new(VerdictLevel.Severe, $"Outputs are far from the float model's: {Words.Digits(decibels)} dB", grounds);
    }

    internal static string P(double p) => p < 0.001 ? "p < 0.001" : string.Create(CultureInfo.InvariantCulture, $"p = {p:0.###}");
}
