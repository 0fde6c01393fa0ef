namespace Fewbit.Evaluation;

public static partial class PairedStatistics
{
    /// <summary>One-sided upper bound of a proportion: in at least this share of repetitions the true one is not above it, at any number of samples.</summary>
    /// <remarks>Clopper and Pearson, 1934, "The use of confidence or fiducial limits illustrated in the case of the binomial".</remarks>
    /// <param name="events">Samples that count, 0 to <paramref name="total"/>.</param>
    /// <param name="total">All samples, at least 1.</param>
    /// <param name="confidence">Above 0.5 and below 1. Default: 0.95.</param>
    public static double UpperBoundOfShare(long events, long total, double confidence = 0.95)
    {
        Check(events, 0, total, confidence);
        return events == total ? 1 : PairedDropBound.Bisect((double)events / total, 1, share => PairedDropBound.AtMost(events, total, share) > 1 - confidence);
    }

    /// <summary>One-sided upper bound of the drop (lost - gained) / total: in at least this share of repetitions the true one is not above it, at any number of samples.</summary>
    /// <remarks>Exact: the worst case over the share of gained samples of outcomes ordered by Tango's score bound. Without disagreements it is that of a share of 0.</remarks>
    /// <param name="lost">Samples that only the first is right on.</param>
    /// <param name="gained">Samples that only the second is right on.</param>
    /// <param name="total">All samples, at least 1.</param>
    /// <param name="confidence">Above 0.5 and below 1. Default: 0.95.</param>
    public static double UpperBoundOfDrop(long lost, long gained, long total, double confidence = 0.95)
    {
        Check(lost, gained, total, confidence);
        return PairedDropBound.Of(lost, gained, total, confidence);
    }

    /// <summary>The fewest samples with which a bound can be as low as wanted: those without any disagreement, log(1 - confidence) / log(1 - drop).</summary>
    /// <param name="drop">The bound, above 0 and below 1.</param>
    /// <param name="confidence">Above 0.5 and below 1. Default: 0.95.</param>
    public static long SamplesNeeded(double drop, double confidence = 0.95)
    {
        if (!(drop is > 0 and < 1)) throw new ArgumentOutOfRangeException(nameof(drop), drop, "must be above 0 and below 1");
        // 0.99^299 is at most 0.05 only up to rounding errors where it meets it.
        return (long)Math.Ceiling(Math.Log(1 - confidence) / Math.Log(1 - drop) - 1e-9);
    }

    private static void Check(long lost, long gained, long total, double confidence)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(total, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(lost);
        ArgumentOutOfRangeException.ThrowIfNegative(gained);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(lost + gained, total, nameof(lost));
        if (!(confidence is > 0.5 and < 1)) throw new ArgumentOutOfRangeException(nameof(confidence), confidence, "must be above 0.5 and below 1");
    }
}
