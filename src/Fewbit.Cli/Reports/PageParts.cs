using System.Globalization;
using System.Runtime.InteropServices;
using Fewbit.Cli.Commands;
using Fewbit.Cli.Console;
using Fewbit.Cli.Quantizing;
using Fewbit.Cli.Timing;
using Fewbit.Reconstruction;
using Fewbit.Reports;
using Fewbit.Tensors.Threading;
using Fewbit.Transforms;

namespace Fewbit.Cli.Reports;

/// <summary>Parts that the pages of several commands share.</summary>
internal static class PageParts
{
    /// <summary>model.onnx → model.int8.onnx, without folders.</summary>
    public static string Title(string from, string to) => $"{Path.GetFileName(from)} → {Path.GetFileName(to)}";

    public static IEnumerable<ReportFigure> Times(IEnumerable<EngineSpeed> speeds) => speeds.Select(speed => new ReportFigure(
        speed.Engine, FigureUnit.Seconds, speed.FloatSeconds is { } seconds ? new(seconds, speed.FloatInterval) : null, new(speed.Seconds, speed.Interval),
        speed.Speedup is { } speedup ? new(speedup, speed.SpeedupInterval) : null));

    public static IEnumerable<ReportFigure> Sizes(FileSizes bytes, bool isPadded)
    {
        yield return new("file", FigureUnit.Bytes, new(bytes.Float), new(bytes.Written));
        if (isPadded && bytes.Packed < bytes.Written) yield return new("packed", FigureUnit.Bytes, new(bytes.Float), new(bytes.Packed), null, "computed: the file holds smaller codes in 8 bits, so that runtimes fuse its nodes");
    }

    /// <summary>Where and with what a page was made.</summary>
    public static IEnumerable<ReportSetting> Place(CommonSettings common)
    {
        yield return new("seed", common.Seed.ToString(CultureInfo.InvariantCulture));
        yield return new("machine", $"{Processor.Name}, {Words.Plural(Workers.ThreadCount, "thread")}, {RuntimeInformation.OSDescription}");
        yield return new("made", $"{DateTimeOffset.Now.ToString("yyyy-MM-dd HH:mm zzz", CultureInfo.InvariantCulture)}, Fewbit {ToolVersion.Text}");
    }

    public static IEnumerable<ReportTable> Transforms(IReadOnlyList<TransformReport> transforms)
    {
        ReportCell[][] rows = [.. transforms.SelectMany(report => report.Changes.Select(note => (report.Transform.Name, note.Node, note.Text, "changed")).Concat(report.Skipped.Select(note => (report.Transform.Name, note.Node, note.Text, "left"))))
            .Select(row => (ReportCell[])[new(row.Node), new(row.Name), new(row.Item4), new(row.Text)])];
        if (rows.Length > 0) yield return new("Transforms", string.Join("; ", transforms), [new("Node"), new("Transform"), new("Outcome"), new("What")], rows);
    }

    public static IEnumerable<ReportTable> Units(IReadOnlyList<UnitReport> units)
    {
        if (units.Count == 0) yield break;
        ReportColumn[] columns = [new("Unit"), new("Pass"), new("Layers", true), new("Steps", true), new("First loss", true), new("Last loss", true), new("Undecided weights", true), new("Time", true)];
        yield return new("What was learned", "Each layer or block against its float self, on calibration data.", columns, [.. units.Select(unit => (ReportCell[])
        [
            new(unit.Unit), new(unit.Pass), Whole(unit.Layers), Whole(unit.Iterations), new(unit.FirstLoss.ToString("G4", CultureInfo.InvariantCulture), unit.FirstLoss),
            new(unit.LastLoss.ToString("G4", CultureInfo.InvariantCulture), unit.LastLoss), Whole(unit.Undecided), new(Words.Time(TimeSpan.FromSeconds(unit.Seconds)), unit.Seconds),
        ])]);
    }

    private static ReportCell Whole(long number) => new(Words.Whole(number), number);
}
