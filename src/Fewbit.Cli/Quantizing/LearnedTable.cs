using System.Globalization;
using Fewbit.Cli.Console;
using Fewbit.Quantization;
using Fewbit.Reconstruction;

namespace Fewbit.Cli.Quantizing;

/// <summary>What each layer and each unit got.</summary>
internal static class LearnedTable
{
    /// <summary>qdrop, 1000 steps for each of 12 units, 24.3 s of steps.</summary>
    public static string Summary(QuantizationOptions options, QuantizationReport report)
    {
        string name = options.Method.ToString().ToLowerInvariant();
        if (report.Units.Count == 0) return $"{name}, no step taken";
        IEnumerable<string> passes = report.Units.GroupBy(unit => unit.Pass).Select(pass => $"{pass.Key}: {Steps(pass)} for each of {Words.Plural(pass.Count(), "unit")}");
        int undecided = report.Units.Sum(unit => unit.Undecided);
        string open = undecided == 0 ? "" : $"; {Words.Plural(undecided, "weight")} had not settled on a code: more steps would help";
        return $"{name}, {string.Join(", ", passes)}, {Words.Time(TimeSpan.FromSeconds(report.Units.Sum(unit => unit.Seconds)))} of steps{open}";
    }

    public static void Write(QuantizationReport report, CommandOutput output)
    {
        output.Line();
        output.Table(["layer", "weight", "codes", ">weights", ">signal to noise, dB"], report.Weights.Select(weight =>
            (string[])[weight.Node, weight.Name, weight.Format.Name, Words.Whole(weight.ElementCount), weight.SignalToNoise.ToString("0.0", CultureInfo.InvariantCulture)]));
        output.Line();
        if (report.Tensors.Count > 0)
        {
            output.Table(["value", "codes", ">scale", ">code of 0", ">outside"], report.Tensors.Select(tensor =>
                (string[])[tensor.Name, tensor.Format.Name, tensor.Scale.ToString("G4", CultureInfo.InvariantCulture), $"{tensor.ZeroPoint}", tensor.ClippedShare is { } share ? Words.Percent(share, 2) : "-"]));
        }
        if (report.Units.Count == 0) return;
        output.Line();
        output.Table(["pass", "unit", ">layers", ">steps", ">first loss", ">last loss", ">undecided", ">time"], report.Units.Select(Row));
    }

    private static string[] Row(UnitReport unit) =>
    [
        unit.Pass, unit.Unit, $"{unit.Layers}", $"{unit.Iterations}", unit.FirstLoss.ToString("G4", CultureInfo.InvariantCulture), unit.LastLoss.ToString("G4", CultureInfo.InvariantCulture),
        $"{unit.Undecided}", Words.Time(TimeSpan.FromSeconds(unit.Seconds)),
    ];

    private static string Steps(IEnumerable<UnitReport> units)
    {
        (int fewest, int most) = (units.Min(unit => unit.Iterations), units.Max(unit => unit.Iterations));
        return fewest == most ? Words.Plural(most, "step") : $"{Words.Whole(fewest)} to {Words.Whole(most)} steps";
    }
}
