using System.Globalization;
using System.Text.Json.Serialization;
using Fewbit.Cli.Console;
using Fewbit.Cli.Judging;
using Fewbit.Promises;

namespace Fewbit.Cli.Quantizing;

/// <summary>What was promised, what was tried, and what came of it.</summary>
/// <param name="Result">The search's result.</param>
/// <param name="TimeBudget">Time that it had.</param>
internal sealed record PromiseReport([property: JsonIgnore] PromiseResult Result, [property: JsonIgnore] TimeSpan TimeBudget)
{
    public PromiseVerdict Verdict => Result.Verdict;
    public string Sentence => SentenceOf();
    public double MaxDrop => Result.MaxDrop;
    public double Confidence { get; } = 0.95;
    public PromiseMeasure Measure => Result.Measure;
    public string Best => Result.Best.Name;
    public double? FloatTop1 => Result.FloatTop1;
    public long HeldOutSamples => Result.HeldOutSamples;
    public long HeldOutNeeded => Result.HeldOutNeeded;

    /// <summary>Samples of calibration data that are missing so that the promise could be judged; 0 where there are enough.</summary>
    public long SamplesMissing => Math.Max(0, PromiseData.Parts * (HeldOutNeeded - HeldOutSamples));

    public bool IsOutOfTime => Result.IsOutOfTime;
    public double SearchSeconds => Result.Time.TotalSeconds;
    public IReadOnlyList<PromiseCandidate> Candidates => Result.Candidates;
    public IReadOnlyList<PromiseCandidate> Pareto => Result.Pareto;

    [JsonIgnore]
    public int ExitCode => Verdict == PromiseVerdict.Kept ? CommandLine.Success : CommandLine.Failed;

    public void Write(CommandOutput output)
    {
        output.Table(["tried", ">bits", ">file", ">drop", ">at most", ">held out: drop", ">at most", ""], Candidates.Select(Row));
        output.Line("  drops in percentage points; at most: one-sided bound, 95 % on the samples that choose, 95 % for all looks together on the held-out ones; *: no other has fewer bytes and a lower bound");
    }

    /// <summary>What a search that was stopped has tried.</summary>
    public void WriteStopped(CommandOutput output, bool isJson)
    {
        if (isJson)
        {
            output.Json(new { Promise = this });
            return;
        }
        Write(output);
        output.Line(Sentence);
    }

    /// <summary>int8 per channel: 63.0 kB, drop 0.42 points (at most 1.93) on 192 samples.</summary>
    public static string Line(PromiseCandidate candidate) =>
        $"{candidate.Name}: {candidate.WeightBits.ToString("0.0#", CultureInfo.InvariantCulture)} bits, {Words.Bytes(candidate.FileBytes)}, drop {Points(candidate.Choosing.Drop)} points (at most {Points(candidate.Bound)}) on {Words.Plural(candidate.Choosing.Total, "sample")}"
        + (candidate.HeldOut is { } look ? $"; held out: {Points(look.Outcome.Drop)} (at most {Points(look.Bound)}), {(candidate.IsKept ? "promise kept" : "promise not shown")}" : "");

    private string[] Row(PromiseCandidate candidate) =>
    [
        candidate.Name, candidate.WeightBits.ToString("0.0#", CultureInfo.InvariantCulture), Words.Bytes(candidate.FileBytes), Points(candidate.Choosing.Drop), Points(candidate.Bound),
        candidate.HeldOut is { } look ? Points(look.Outcome.Drop) : "-", candidate.HeldOut is { } bound ? Points(bound.Bound) : "-",
        (candidate.IsPareto ? "*" : " ") + (candidate.IsKept ? candidate.Name == Best && Candidates.Count(other => other.IsKept) > 1 ? " keeps the promise, saved" : " keeps the promise" : candidate.Name == Best ? " saved" : ""),
    ];

    private string SentenceOf()
    {
        string allowed = MaxDrop.ToString("0.###", CultureInfo.InvariantCulture), held = Words.Plural(HeldOutSamples, "held-out sample");
        string found = Result.Best.HeldOut is { } look ? $"{Measured(look.Outcome.Drop, held)}, and with 95 % confidence {(Measure == PromiseMeasure.Top1 ? "the drop is" : "on")} at most {Points(look.Bound)} ({allowed} allowed)"
            : $"{Measured(Result.Best.Choosing.Drop, $"the {Words.Plural(Result.Best.Choosing.Total, "sample")} that choose")}, so the held-out ones were not asked ({allowed} allowed)";
        string time = IsOutOfTime ? $"; the time budget of {Words.Time(TimeBudget)} ended the search, --time-budget gives more" : "";
        return Verdict switch
        {
            PromiseVerdict.Kept => $"Promise kept: {found}{time}.",
            PromiseVerdict.TooFewSamples => $"Promise not shown, for {held} are too few for {allowed} {(MaxDrop == 1 ? "point" : "points")} whatever the model: {Words.Plural(SamplesMissing, "more sample")} in --calibration are needed, "
                + $"so that {Words.Whole(HeldOutNeeded)} are held out; so far {found}{time}. The best is saved.",
            PromiseVerdict.Stopped => $"Stopped before the promise was kept; the best so far, {Best}, is saved: {found}.",
            _ => $"Promise missed: of the best candidate, {Best}, {found}{time}. It is saved all the same.",
        };
    }

    private string Measured(double drop, string samples) =>
        Measure == PromiseMeasure.Top1 ? $"top-1 {(drop < 0 ? "rises" : "drops")} by {Points(Math.Abs(drop))} points on {samples}" : $"labels differ from the float model's on {Points(drop)} % of {samples}";

    private static string Points(double share) => (100 * share).ToString("0.00", CultureInfo.InvariantCulture);
}
