using System.Globalization;
using System.Text;
using System.Text.Json;
using Fewbit.Benchmarks.Results;
using Fewbit.Evaluation;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Benchmarks.Reconstruction;

/// <summary>The tables of docs/results/reconstruction.md, from the records of a folder.</summary>
internal static class ReconstructionPage
{
    private static readonly (string Worse, string Better)[] s_orderings =
        [("nearest-w2", "adaround-w2"), ("nearest-w2", "brecq-w2"), ("nearest-w2a2", "brecq-w2a2"), ("brecq-w2a2", "qdrop-w2a2"), ("brecq-w2a4", "qdrop-w2a4"), ("adaround-w2", "brecq-w2")];

    public static void Write(string folder, Graph prepared)
    {
        ReconstructionRecord[] records = [.. Directory.EnumerateFiles(folder, "*-*.json").Select(path => JsonSerializer.Deserialize<ReconstructionRecord>(File.ReadAllText(path))!)];
        var sets = ReconstructionRun.TestFiles.ToDictionary(file => file, file => Judge(prepared, file));
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{Machine.Processor}; one thread.").AppendLine();
        text.AppendLine("| method, setting | seeds | top-1 lossless | original | agreement | top-1 JPEG | original | agreement | CPU s |").AppendLine("|---|---|---|---|---|---|---|---|---|");
        foreach (ReconstructionRow row in ReconstructionRow.All.Concat(ReconstructionRow.Deployed))
        {
            ReconstructionRecord[] runs = [.. records.Where(record => record.Row == row.Key).OrderBy(record => record.Seed)];
            if (runs.Length > 0) text.AppendLine(Line(row, runs, sets));
        }
        text.AppendLine().AppendLine("| comparison (JPEG pictures, all seeds pooled) | difference in points | 95 % interval | McNemar p |").AppendLine("|---|---|---|---|");
        foreach ((string worse, string better) in s_orderings) Compare(text, records, worse, better, sets["test_jpeg_10000.bin"].Labels);
        Console.WriteLine(text);
        File.WriteAllText(Path.Combine(folder, "tables.md"), text.ToString());
    }

    private static (int[] Labels, int[] Float) Judge(Graph prepared, string file)
    {
        (Tensor pictures, int[] labels) = ReconstructionPictures.Load(prepared, file);
        return (labels, ReconstructionPictures.Classes(ReconstructionPictures.Scores(prepared, pictures)));
    }

    private static string Line(ReconstructionRow row, ReconstructionRecord[] runs, Dictionary<string, (int[] Labels, int[] Float)> sets)
    {
        var cells = new List<string> { row.Title, string.Join(' ', runs.Select(run => run.Seed)) };
        foreach ((string file, double? peer) in ReconstructionRun.TestFiles.Zip((double?[])[row.PeerLossless, row.PeerJpeg]))
        {
            cells.Add(Spread([.. runs.Select(run => Share(run.Predictions[file], sets[file].Labels))]));
            cells.Add(peer?.ToString("0.00", CultureInfo.InvariantCulture) ?? "");
            cells.Add(Spread([.. runs.Select(run => Share(run.Predictions[file], sets[file].Float))]));
        }
        cells.Add(runs.Average(run => run.Seconds).ToString("0", CultureInfo.InvariantCulture));
        return $"| {string.Join(" | ", cells)} |";
    }

    private static void Compare(StringBuilder text, ReconstructionRecord[] records, string worse, string better, int[] labels)
    {
        (long lost, long gained, long total) = (0, 0, 0);
        foreach (ReconstructionRecord first in records.Where(record => record.Row == worse))
        {
            if (records.FirstOrDefault(record => record.Row == better && record.Seed == first.Seed) is not { } second) continue;
            (string a, string b) = (first.Predictions["test_jpeg_10000.bin"], second.Predictions["test_jpeg_10000.bin"]);
            for (int i = 0; i < labels.Length; i++)
            {
                (bool wasRight, bool isRight) = (a[i] - '0' == labels[i], b[i] - '0' == labels[i]);
                if (wasRight && !isRight) lost++;
                if (!wasRight && isRight) gained++;
                total++;
            }
        }
        if (total == 0) return;
        Interval interval = PairedStatistics.OfPairedDifference(lost, gained, total);
        text.AppendLine(CultureInfo.InvariantCulture, $"| {worse} to {better} | {100.0 * (gained - lost) / total:+0.00;-0.00} | {100 * interval.Low:+0.00;-0.00} … {100 * interval.High:+0.00;-0.00} | {(PairedStatistics.McNemarP(lost, gained) is > 0 and var p ? p.ToString("G2", CultureInfo.InvariantCulture) : "< 1e-300")} |");
    }

    private static double Share(string predictions, int[] wanted) => 100.0 * wanted.Index().Count(pair => predictions[pair.Index] - '0' == pair.Item) / wanted.Length;

    private static string Spread(double[] values)
    {
        double mean = values.Average(), deviation = values.Length < 2 ? double.NaN : Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Length - 1));
        return values.Length < 2 ? mean.ToString("0.00", CultureInfo.InvariantCulture) : string.Create(CultureInfo.InvariantCulture, $"{mean:0.00} ± {deviation:0.00}");
    }
}
