using Fewbit.Evaluation;

namespace Fewbit.Cli.Timing;

/// <summary>The median times of one run in each round of a <see cref="SpeedTest"/>.</summary>
internal sealed class RoundTimes(IReadOnlyList<TimeSpan> rounds)
{
    // Of nine independent measurements the second and the eighth lie around the median in 96 of 100 repetitions: 1 - 2 (1 + 9) / 2^9.
    private const int LowRank = 1, HighRank = SpeedTest.Rounds - 2;

    /// <summary>The median of the rounds.</summary>
    public TimeSpan Median { get; } = rounds.Order().ElementAt(SpeedTest.Rounds / 2);

    /// <summary>95 % interval of the median, in seconds.</summary>
    public Interval Interval => IntervalOf(rounds.Select(round => round.TotalSeconds));

    /// <summary>95 % interval of how many times longer this took, round by round.</summary>
    public Interval RatioTo(RoundTimes other) => IntervalOf(rounds.Zip(other.Rounds, (mine, theirs) => mine / theirs));

    private IReadOnlyList<TimeSpan> Rounds => rounds;

    private static Interval IntervalOf(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return new(sorted[LowRank], sorted[HighRank]);
    }
}
