using System.Globalization;
using Fewbit.Evaluation;

namespace Fewbit.Reports;

/// <summary>What a figure counts.</summary>
public enum FigureUnit
{
    /// <summary>A part of one, shown in percent; changes in percentage points.</summary>
    Share,
    /// <summary>Bytes; changes as a ratio.</summary>
    Bytes,
    /// <summary>Seconds; changes as a ratio.</summary>
    Seconds,
    /// <summary>Decibels; changes as a difference.</summary>
    Decibels,
    /// <summary>Anything else; changes as a difference.</summary>
    Number,
}

/// <summary>A number with its uncertainty.</summary>
/// <param name="Value">The number.</param>
/// <param name="Interval">Its 95 % interval; null where it is exact, or where its uncertainty is not known.</param>
public sealed record Measured(double Value, Interval? Interval = null);

/// <summary>One thing that was measured of both models.</summary>
/// <param name="Name">What was measured, such as "top-1".</param>
/// <param name="Unit">What is counted.</param>
/// <param name="Float">Of the float model; null where it has none.</param>
/// <param name="Model">Of the quantized model.</param>
/// <param name="Change">Share, decibels, number: the model's minus the float model's. Bytes, seconds: how many times less. Null: computed from both, without an interval.</param>
/// <param name="Remark">Anything that must be known with it.</param>
public sealed record ReportFigure(string Name, FigureUnit Unit, Measured? Float, Measured? Model, Measured? Change = null, string Remark = "")
{
    private bool IsRatio => Unit is FigureUnit.Bytes or FigureUnit.Seconds;

    /// <summary>The change that is shown; null where one of both is missing.</summary>
    internal Measured? Difference => Change ?? (Float is null || Model is null ? null : new(IsRatio ? Float.Value / Model.Value : Model.Value - Float.Value));

    /// <summary>A number in the words of the unit.</summary>
    internal string Text(double value) => Unit switch
    {
        FigureUnit.Share => Words.Percent(value, 2),
        FigureUnit.Bytes => Words.Bytes(value),
        FigureUnit.Seconds => Words.Time(TimeSpan.FromSeconds(value)),
        FigureUnit.Decibels => $"{Words.Digits(value)} dB",
        _ => value.ToString("G4", CultureInfo.InvariantCulture),
    };

    /// <summary>95.10 % to 96.00 %; empty without an interval.</summary>
    internal string IntervalText(Measured? measured) => measured?.Interval is { } interval ? $"{Text(interval.Low)} to {Text(interval.High)}" : "";

    /// <summary>-0.12 points, 2.81x smaller.</summary>
    internal string ChangeText() => Difference is { } change ? ChangeText(change.Value) : "";

    /// <summary>The interval of the change; empty where there is none.</summary>
    internal string ChangeIntervalText()
    {
        if (Difference?.Interval is not { } interval) return "";
        // Of a model that is slower, how many times slower.
        if (IsRatio && Difference.Value < 1) return $"{Ratio(1 / interval.High)} to {Ratio(1 / interval.Low)}";
        return IsRatio ? $"{Ratio(interval.Low)} to {Ratio(interval.High)}" : Unit == FigureUnit.Share ? $"{Words.Points(interval.Low, 2)} to {Words.Points(interval.High, 2)}" : $"{ChangeText(interval.Low)} to {ChangeText(interval.High)}";
    }

    private string ChangeText(double change) => Unit switch
    {
        FigureUnit.Share => $"{Words.Points(change, 2)} points",
        FigureUnit.Bytes => change >= 1 ? $"{Ratio(change)} smaller" : $"{Ratio(1 / change)} larger",
        FigureUnit.Seconds => change >= 1 ? $"{Ratio(change)} faster" : $"{Ratio(1 / change)} slower",
        FigureUnit.Decibels => string.Create(CultureInfo.InvariantCulture, $"{change:+0.00;-0.00;0.00} dB"),
        _ => change.ToString("+0.####;-0.####;0", CultureInfo.InvariantCulture),
    };

    private static string Ratio(double ratio) => string.Create(CultureInfo.InvariantCulture, $"{ratio:0.00}x");
}
