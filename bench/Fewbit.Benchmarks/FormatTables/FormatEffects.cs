using System.Globalization;
using System.Text;

namespace Fewbit.Benchmarks.FormatTables;

/// <summary>What each choice brings on average over all the others.</summary>
internal static class FormatEffects
{
    private static readonly (string Name, Func<FormatRow, string> LevelOf)[] s_factors =
    [
        ("range", row => row.Range),
        ("scales", row => $"one a {row.Granularity}"),
        ("equalized", row => row.Equalizes ? "yes" : "no"),
        ("biases corrected", row => row.Corrects ? "yes" : "no"),
    ];

    /// <summary>A table with a line for each level of each choice and a column for each pair of formats.</summary>
    public static void Means(StringBuilder page, FormatRecord[] records)
    {
        FormatRecord[] judged = [.. records.Where(record => record.Error is null)];
        string[] formats = [.. judged.Select(record => record.Row.Formats).Distinct()];
        string set = judged.SelectMany(record => record.Sets.Keys).FirstOrDefault(name => name != FormatRecord.Selection) ?? "";
        page.AppendLine(CultureInfo.InvariantCulture, $"### Means over all other choices ({set})").AppendLine();
        page.AppendLine("Change in points of top-1; in brackets the median KL.").AppendLine();
        page.AppendLine($"| choice | level | {string.Join(" | ", formats)} |").AppendLine($"|---|---|{string.Concat(formats.Select(_ => "---|"))}");
        foreach ((string name, Func<FormatRow, string> levelOf) in s_factors)
        {
            foreach (IGrouping<string, FormatRecord> level in judged.GroupBy(record => levelOf(record.Row)))
                page.AppendLine($"| {name} | {level.Key} | {string.Join(" | ", formats.Select(format => Mean([.. level.Where(record => record.Row.Formats == format)], set)))} |");
        }
        page.AppendLine();
    }

    private static string Mean(FormatRecord[] records, string set)
    {
        if (records.Length == 0) return "";
        double[] divergences = [.. records.Select(record => record.SelectionKl).Order()];
        return string.Create(CultureInfo.InvariantCulture, $"{100 * records.Average(record => record.Sets[set].Result.Difference):+0.00;-0.00;0.00} ({1000 * divergences[divergences.Length / 2]:0.0})");
    }
}
