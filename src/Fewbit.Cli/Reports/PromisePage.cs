using System.Globalization;
using Fewbit.Cli.Quantizing;
using Fewbit.Promises;
using Fewbit.Reports;

namespace Fewbit.Cli.Reports;

/// <summary>A promise on a page: the verdict, and everything that was tried.</summary>
internal static class PromisePage
{
    public static ReportVerdict Verdict(PromiseReport promise)
    {
        string allowed = $"{promise.MaxDrop.ToString("0.###", CultureInfo.InvariantCulture)} {(promise.MaxDrop == 1 ? "point" : "points")}";
        return promise.Verdict switch
        {
            PromiseVerdict.Kept => new(VerdictLevel.Good, $"Promise kept: at most {allowed} lost", promise.Sentence),
            PromiseVerdict.TooFewSamples => new(VerdictLevel.Open, $"Too few samples to promise {allowed}", promise.Sentence),
            PromiseVerdict.Stopped => new(VerdictLevel.Open, "Stopped before the promise was kept", promise.Sentence),
            _ => new(VerdictLevel.Loss, $"Promise missed: no model was shown to lose at most {allowed}", promise.Sentence),
        };
    }

    public static ReportTable Table(PromiseReport promise)
    {
        ReportColumn[] columns = [new("Candidate"), new("#", true), new("Bits", true), new("File", true), new("Drop, points", true), new("At most", true), new("Held out: drop", true), new("At most", true), new("")];
        return new("What was tried", "Drops in percentage points. At most: one-sided 95 % bound on the samples that choose; on the held-out ones for all looks together. Pareto: no other has fewer bytes and a lower bound.", columns,
            [.. promise.Candidates.Select((candidate, index) => (ReportCell[])
            [
                new(candidate.Name), new($"{index + 1}", index + 1), new(candidate.WeightBits.ToString("0.0#", CultureInfo.InvariantCulture), candidate.WeightBits), new(Words.Bytes(candidate.FileBytes), candidate.FileBytes),
                Points(candidate.Choosing.Drop), Points(candidate.Bound), Points(candidate.HeldOut?.Outcome.Drop), Points(candidate.HeldOut?.Bound),
                new(string.Join(", ", new[] { candidate.IsPareto ? "Pareto" : "", candidate.IsKept ? "keeps the promise" : "", candidate.Name == promise.Best ? "saved" : "" }.Where(word => word.Length > 0))),
            ])]);
    }

    private static ReportCell Points(double? share) => share is { } number ? new((100 * number).ToString("0.00", CultureInfo.InvariantCulture), number) : new("");
}
