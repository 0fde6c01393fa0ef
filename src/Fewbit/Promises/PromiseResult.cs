using Fewbit.Evaluation;
using Fewbit.Quantization;

namespace Fewbit.Promises;

/// <summary>What is kept or lost.</summary>
public enum PromiseMeasure
{
    /// <summary>Labels that a model ranks first.</summary>
    Top1,
    /// <summary>Samples on which a model ranks the float model's class first: without labels, and where float is right on more than 98 %.</summary>
    Agreement,
}

/// <summary>Whether a promise was kept.</summary>
public enum PromiseVerdict
{
    /// <summary>The bound of the best candidate is low enough.</summary>
    Kept,
    /// <summary>No candidate was shown to keep it.</summary>
    Missed,
    /// <summary>No model at all could be shown to keep it on so few held-out samples.</summary>
    TooFewSamples,
    /// <summary>The search was stopped before a candidate was shown to keep it.</summary>
    Stopped,
}

/// <summary>A candidate beside the float model on the same samples.</summary>
/// <param name="Measure">What is counted.</param>
/// <param name="Lost">Samples that only the float model is right on; for <see cref="PromiseMeasure.Agreement"/> those on which both differ.</param>
/// <param name="Gained">Samples that only the candidate is right on.</param>
/// <param name="Total">All samples.</param>
/// <param name="MeanKl">Mean Kullback-Leibler divergence of the class probabilities from the float model's, in nats.</param>
public sealed record PairedOutcome(PromiseMeasure Measure, long Lost, long Gained, long Total, double MeanKl)
{
    /// <summary>(lost - gained) / total.</summary>
    public double Drop => (double)(Lost - Gained) / Total;

    /// <summary>One-sided upper bound of the true drop.</summary>
    /// <param name="confidence">Above 0.5 and below 1.</param>
    public double UpperBound(double confidence) =>
        Measure == PromiseMeasure.Agreement ? PairedStatistics.UpperBoundOfShare(Lost, Total, confidence) : PairedStatistics.UpperBoundOfDrop(Lost, Gained, Total, confidence);

    /// <summary>What another number of samples would show in the same proportions.</summary>
    internal PairedOutcome ScaledTo(long total) => this with
    {
        Lost = (long)Math.Round((double)Lost * total / Total, MidpointRounding.AwayFromZero), Gained = (long)Math.Floor((double)Gained * total / Total), Total = total,
    };
}

/// <summary>What the held-out samples said of a candidate.</summary>
/// <param name="Number">From 1, one more behind each failed look.</param>
/// <param name="Outcome">The counts.</param>
/// <param name="Confidence">Of the bound: all looks together err in at most 5 % of searches.</param>
/// <param name="Bound">The true drop is at most this.</param>
public sealed record HeldOutLook(int Number, PairedOutcome Outcome, double Confidence, double Bound);

/// <summary>A quantized model that was tried.</summary>
/// <param name="Name">What it is: "int8, biases corrected".</param>
/// <param name="WeightBits">Mean bits of a weight, over all layers that have codes in the first candidate; 32 where a layer is float.</param>
/// <param name="FileBytes">Size of the file.</param>
/// <param name="Choosing">On the samples that candidates are chosen by.</param>
/// <param name="Bound">One-sided 95 % bound of the drop on these: for comparison, not a promise.</param>
/// <param name="HeldOut">On the held-out samples; null where they were not asked.</param>
public sealed record PromiseCandidate(string Name, double WeightBits, long FileBytes, PairedOutcome Choosing, double Bound, HeldOutLook? HeldOut)
{
    /// <summary>Whether it was shown to keep the promise.</summary>
    public bool IsKept { get; init; }

    /// <summary>Whether no other candidate has both a lower bound and fewer bytes.</summary>
    public bool IsPareto { get; init; }

    /// <summary>Seconds of making and judging it.</summary>
    public double Seconds { get; init; }
}

/// <summary>What came of a promise.</summary>
/// <param name="Verdict">Whether it was kept.</param>
/// <param name="MaxDrop">The promise, in percentage points.</param>
/// <param name="Measure">What was judged.</param>
/// <param name="Model">The best model, which was saved.</param>
/// <param name="Best">The candidate that it is.</param>
/// <param name="Candidates">All that were tried, in order.</param>
/// <param name="HeldOutSamples">Samples that the promise is made on.</param>
/// <param name="HeldOutNeeded">The fewest held-out samples on which any model could be shown to keep the promise.</param>
/// <param name="FloatTop1">Of the float model on the held-out samples; null without labels.</param>
/// <param name="Time">Time of the search.</param>
public sealed record PromiseResult(
    PromiseVerdict Verdict, double MaxDrop, PromiseMeasure Measure, QuantizationResult Model, PromiseCandidate Best, IReadOnlyList<PromiseCandidate> Candidates,
    long HeldOutSamples, long HeldOutNeeded, double? FloatTop1, TimeSpan Time)
{
    /// <summary>The candidates of which no other has both a lower bound and fewer bytes, the largest first.</summary>
    public IReadOnlyList<PromiseCandidate> Pareto => [.. Candidates.Where(candidate => candidate.IsPareto).OrderByDescending(candidate => candidate.FileBytes)];

    /// <summary>Whether the time budget ended the search.</summary>
    public bool IsOutOfTime { get; init; }
}

/// <summary>Where a search stands.</summary>
/// <param name="Candidate">What is tried.</param>
/// <param name="Stage">What is done for it: "calibrating", "learning", "judging".</param>
/// <param name="Work">How far that is; null where it is not counted.</param>
/// <param name="Finished">The candidate that has just been judged; null otherwise.</param>
public sealed record PromiseProgress(string Candidate, string Stage, QuantizationProgress? Work = null, PromiseCandidate? Finished = null);
