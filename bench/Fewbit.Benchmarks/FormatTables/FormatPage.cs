using System.Globalization;
using System.Text;
using Fewbit.Benchmarks.Results;
using Fewbit.Evaluation;

namespace Fewbit.Benchmarks.FormatTables;

/// <summary>docs/results/formats.md from the records of a folder. The chapter in plain words, written by hand, stays as it is.</summary>
internal static class FormatPage
{
    private const string FileName = "formats.md", WordsHeading = "## What matters, and what does not";
    private static readonly CultureInfo Plain = CultureInfo.InvariantCulture;

    public static void Write(string folder)
    {
        IReadOnlyList<FormatRecord> records = FormatRecord.Read(Path.Combine(folder, FormatRun.ResultsFile));
        IReadOnlyDictionary<string, FormatTimes> times = FormatTimes.Read(folder);
        var page = new StringBuilder();
        page.AppendLine("# Formats, ranges, granularity and transforms").AppendLine();
        page.AppendLine($"""
            Made by `dotnet run -c Release --project bench/Fewbit.Benchmarks -- formats FOLDER`, then `formats FOLDER --times` and `formats FOLDER --page` (data: `FEWBIT_DATA`, oracle: `FEWBIT_ORT`).
            A row is quantized by the library as a user would, and evaluated code for code. Machine: {Machine.Description}; one thread.

            CIFAR networks are calibrated on 512 of the 1,024 lossless training pictures, ImageNet networks on every seventh of the 700 pictures; seed {string.Join(", ", records.Select(record => record.Seed).Distinct().Order())}.
            Changes are in points of top-1 against the float network on the same pictures, with their 95 % interval; the test pictures judge and choose nothing.
            "KL" is the mean divergence from the float network on training pictures in millinats (CIFAR: 512 of the JPEG training pictures; ImageNet: the 100 calibration pictures, so there it flatters); the **best** row of a format is the one of least KL.
            A range rule is that of weights and activations alike; "default" is mse for activations, and for weights minmax from 8 bits, mse below. The weights of the first and the last layer, and what the last layer reads, keep 8 bits, as by default.
            "File" is what is written, where each code takes a byte; "packed" counts each code's own bits. Times are of one picture, median.
            """).AppendLine();
        page.Append(Words(Machine.PagePath(FileName)));
        foreach (IGrouping<string, FormatRecord> network in records.GroupBy(record => record.Row.Network))
        {
            page.AppendLine($"## {network.Key}").AppendLine();
            FormatRecord[] integers = [.. network.Where(record => !IsFloat(record))], floats = [.. network.Where(IsFloat)];
            if (integers.Length > 0)
            {
                Effects(page, integers);
                int all = FormatRow.Factorial(network.Key).Count();
                bool isFactorial = FormatRow.FactorialNetworks.Contains(network.Key);
                if (isFactorial && integers.Length < all) page.AppendLine(Plain, $"{all - integers.Length} of the {all} combinations have not been run, those farthest from the default.").AppendLine();
                // With many rows missing a mean would compare levels among different others.
                if (isFactorial && integers.Length > 0.9 * all) FormatEffects.Means(page, integers);
                Table(page, "### All rows", integers, times);
            }
            if (floats.Length > 0) Table(page, "### Small floats", floats, times);
        }
        Machine.WritePage(FileName, page.ToString().TrimEnd() + "\n");
    }

    private static bool IsFloat(FormatRecord record) => record.Row.Weights.StartsWith("fp", StringComparison.Ordinal);

    /// <summary>The chapter in plain words that the page has.</summary>
    private static string Words(string path)
    {
        if (!File.Exists(path)) return "";
        string[] lines = [.. File.ReadLines(path).SkipWhile(line => line != WordsHeading)];
        return lines.Length == 0 ? "" : string.Join('\n', lines.Take(1).Concat(lines.Skip(1).TakeWhile(line => !line.StartsWith("## ", StringComparison.Ordinal)))) + "\n";
    }

    /// <summary>What each single step away from the default changes, on the same pictures.</summary>
    private static void Effects(StringBuilder page, FormatRecord[] records)
    {
        string set = records.SelectMany(record => record.Sets.Keys).FirstOrDefault(name => name != FormatRecord.Selection) ?? "";
        page.AppendLine(Plain, $"### One step from the default ({set})").AppendLine();
        page.AppendLine("Against the default row of the same formats: points, 95 % interval, McNemar's exact p.").AppendLine();
        page.AppendLine("| formats | step | points (95 %) | p | KL | KL of the default |").AppendLine("|---|---|---|---|---|---|");
        foreach (IGrouping<string, FormatRecord> formats in records.Where(record => record.Error is null).GroupBy(record => record.Row.Formats))
        {
            if (formats.FirstOrDefault(record => record.Row.Steps.Length == 0) is not { } start) continue;
            foreach (FormatRecord record in formats.Where(record => record.Row.Steps.Length == 1))
            {
                (long gained, long lost) = record.Sets[set].Against(start.Sets[set]);
                long total = record.Sets[set].Result.Labelled;
                Interval interval = PairedStatistics.OfPairedDifference(lost, gained, total);
                page.AppendLine(Plain, $"| {formats.Key} | {record.Row.Steps[0]} | {100.0 * (gained - lost) / total:+0.00;-0.00;0.00} ({100 * interval.Low:+0.00;-0.00;0.00} … {100 * interval.High:+0.00;-0.00;0.00}) | {PairedStatistics.McNemarP(lost, gained):G2} | {1000 * record.SelectionKl:0.0} | {1000 * start.SelectionKl:0.0} |");
            }
        }
        page.AppendLine();
    }

    private static void Table(StringBuilder page, string heading, FormatRecord[] records, IReadOnlyDictionary<string, FormatTimes> times)
    {
        string[] sets = [.. records.SelectMany(record => record.Sets.Keys).Distinct().Where(name => name != FormatRecord.Selection)];
        FormatRecord? first = records.FirstOrDefault(record => record.Error is null);
        string floats = first is null ? "" : string.Join(", ", sets.Select(set => string.Create(Plain, $"{100 * first.Sets[set].Result.ReferenceTop1:0.00} on {set}")));
        page.AppendLine(heading).AppendLine();
        page.AppendLine(Plain, $"Float: {floats}; {records[0].FloatBytes / 1e6:0.00} MB.").AppendLine();
        page.AppendLine($"| formats | range | scales | equalized | biases corrected | KL | {string.Join(" | ", sets.Select(set => $"{set}: change (95 %) | agreement"))} | file MB | packed MB | quantize CPU s | ms ONNX Runtime | ms Fewbit |");
        page.AppendLine($"|---|---|---|---|---|---|{string.Concat(sets.Select(_ => "---|---|"))}---|---|---|---|---|");
        foreach (IGrouping<string, FormatRecord> formats in records.GroupBy(record => record.Row.Formats))
        {
            FormatRecord? best = formats.Count() > 1 ? formats.MinBy(record => record.SelectionKl) : null;
            foreach (FormatRecord record in formats.OrderBy(record => Array.IndexOf(FormatRow.Ranges, record.Row.Range)).ThenBy(record => record.Row.Granularity, StringComparer.Ordinal).ThenBy(record => record.Row.Equalizes).ThenBy(record => record.Row.Corrects)) page.AppendLine(Line(record, record == best, sets, times.GetValueOrDefault(FormatTimes.Of(record.Row))));
        }
        page.AppendLine();
    }

    private static string Line(FormatRecord record, bool isBest, string[] sets, FormatTimes? times)
    {
        FormatRow row = record.Row;
        string start = $"| {row.Formats}{(row.Steps.Length == 0 ? " (default)" : "")}{(isBest && record.Error is null ? " **best**" : "")} | {row.Range} | {row.Granularity} | {Mark(row.Equalizes)} | {Mark(row.Corrects)} |";
        if (record.Error is { } error) return $"{start} not quantized: {error.ReplaceLineEndings(" ")} |";
        string judged = string.Join(" | ", sets.Select(set => Changed(record.Sets[set].Result)));
        string timed = times is null ? " | " : string.Create(Plain, $"{(double.IsNaN(times.OnnxRuntime) ? "does not load" : times.OnnxRuntime.ToString("0.00", Plain))} | {times.Fewbit:0.00}");
        return string.Create(Plain, $"{start} {1000 * record.SelectionKl:0.0} | {judged} | {record.Bytes / 1e6:0.00} | {record.PackedBytes / 1e6:0.00} | {record.Seconds:0.0} | {timed} |");
    }

    private static string Changed(ClassificationResult result)
    {
        Interval interval = result.DifferenceInterval!.Value;
        return string.Create(Plain, $"{100 * result.Difference:+0.00;-0.00;0.00} ({100 * interval.Low:+0.00;-0.00;0.00} … {100 * interval.High:+0.00;-0.00;0.00}) | {100 * result.Agreement:0.0}");
    }

    private static string Mark(bool holds) => holds ? "yes" : "";
}
