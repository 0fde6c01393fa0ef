using System.Globalization;
using System.Text;

namespace Fewbit.Fuzzing.Campaign;

/// <summary>The figures of a campaign as a page.</summary>
internal static class FuzzReport
{
    public static string Write(FuzzArguments given, IReadOnlyList<(string Kind, Tally Tally, double Seconds)> reports)
    {
        var text = new StringBuilder();
        foreach ((string kind, Tally tally, double seconds) in reports)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"## {tally.Cases} {(kind == "models" ? "model files" : "data files")}, seed {given.Seed}").AppendLine();
            text.AppendLine(CultureInfo.InvariantCulture, $"Seeds: {tally.Seeds}. {given.Processes} processes, {seconds:0} s ({tally.Cases / seconds:0} cases/s), {tally.CpuSeconds:0} s of processor time.");
            text.AppendLine(CultureInfo.InvariantCulture, $"Longest case {tally.LongestCaseSeconds:0.0} s, largest resident set {tally.MaxResidentBytes >> 20} MiB.").AppendLine();
            text.AppendLine("| outcome | cases | share |").AppendLine("|---|---:|---:|");
            foreach ((string outcome, long count) in tally.Counts) text.AppendLine(CultureInfo.InvariantCulture, $"| {outcome} | {count} | {100.0 * count / tally.Cases:0.00} % |");
            text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"Findings: {tally.Findings.Count}.").AppendLine();
            foreach (var group in tally.Findings.GroupBy(finding => $"{finding.Kind}: {finding.Detail.Split(':')[0]}").OrderByDescending(group => group.Count()).Take(60))
                text.AppendLine(CultureInfo.InvariantCulture, $"- {group.Count()} × {group.Key} (case {group.First().Number}: {group.First().Detail})");
        }
        return text.ToString();
    }
}
