using System.Globalization;
using MathNet.Numerics.Distributions;

namespace Fewbit.Evaluation;

/// <summary>An interval that holds the true number in 95 of 100 repetitions of the measurement.</summary>
/// <param name="Low">Lower end.</param>
/// <param name="High">Upper end.</param>
public readonly record struct Interval(double Low, double High)
{
    /// <summary>True where the number lies in the interval.</summary>
    public bool Contains(double value) => Low <= value && value <= High;

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Low:G4} … {High:G4}");
}

/// <summary>Uncertainty of accuracies and of their differences on the same samples.</summary>
public static partial class PairedStatistics
{
    /// <summary>Interval of a proportion, 95 % unless another confidence is asked for.</summary>
    /// <remarks>The score interval of Wilson, 1927, "Probable inference, the law of succession, and statistical inference".</remarks>
    /// <param name="successes">Samples that count, 0 to <paramref name="total"/>.</param>
    /// <param name="total">All samples, at least 1.</param>
    /// <param name="confidence">Above 0 and below 1.</param>
    public static Interval OfProportion(long successes, long total, double confidence = 0.95)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(total, 1);
        double z = Z(confidence), share = (double)successes / total, z2 = z * z / total;
        double middle = (share + z2 / 2) / (1 + z2), half = z / (1 + z2) * Math.Sqrt(share * (1 - share) / total + z2 / (4 * total));
        return new(Math.Max(0, middle - half), Math.Min(1, middle + half));
    }

    /// <summary>Interval of the difference of two proportions on the same samples: (gained - lost) / total; 95 % unless another confidence is asked for.</summary>
    /// <remarks>The Laplace-adjusted Wald interval of Bonett and Price, 2012, "Adjusted Wald confidence interval for a difference of binomial proportions based on paired data".</remarks>
    /// <param name="lost">Samples that only the first is right on.</param>
    /// <param name="gained">Samples that only the second is right on.</param>
    /// <param name="total">All samples, at least 1.</param>
    /// <param name="confidence">Above 0 and below 1.</param>
    public static Interval OfPairedDifference(long lost, long gained, long total, double confidence = 0.95)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(total, 1);
        double n = total + 2, up = (gained + 1) / n, down = (lost + 1) / n, difference = up - down;
        double half = Z(confidence) * Math.Sqrt((up + down - difference * difference) / n);
        return new(Math.Max(-1, difference - half), Math.Min(1, difference + half));
    }

    /// <summary>McNemar's exact two-sided p: how likely a split of the disagreements at least this uneven is, were both equally good.</summary>
    /// <param name="lost">Samples that only the first is right on.</param>
    /// <param name="gained">Samples that only the second is right on.</param>
    public static double McNemarP(long lost, long gained)
    {
        long disagreements = lost + gained;
        if (disagreements == 0) return 1;
        double tail = Binomial.CDF(0.5, checked((int)disagreements), Math.Min(lost, gained));
        return Math.Min(1, 2 * tail);
    }

    /// <summary>Student's interval of a mean; infinite for fewer than two values.</summary>
    /// <param name="values">Independent measurements.</param>
    /// <param name="confidence">Above 0 and below 1.</param>
    public static Interval OfMean(IReadOnlyList<double> values, double confidence = 0.95)
    {
        ArgumentNullException.ThrowIfNull(values);
        int n = values.Count;
        if (n < 2) return new(double.NegativeInfinity, double.PositiveInfinity);
        double mean = values.Average(), variance = values.Sum(value => (value - mean) * (value - mean)) / (n - 1);
        double half = StudentT.InvCDF(0, 1, n - 1, (1 + confidence) / 2) * Math.Sqrt(variance / n);
        return new(mean - half, mean + half);
    }

    /// <summary>The percentile bootstrap: the middle of what a statistic is on samples drawn anew with replacement. Draws are seeded.</summary>
    /// <remarks>Efron, 1979, "Bootstrap methods: another look at the jackknife". Too narrow for a few samples.</remarks>
    /// <param name="statistics">The statistic on each draw, in any order.</param>
    /// <param name="confidence">Above 0 and below 1.</param>
    internal static Interval OfDraws(IReadOnlyList<double> statistics, double confidence)
    {
        double[] sorted = [.. statistics.Order()];
        return new(At((1 - confidence) / 2), At((1 + confidence) / 2));

        double At(double share)
        {
            double place = share * (sorted.Length - 1);
            int below = (int)place;
            return below + 1 == sorted.Length ? sorted[below] : sorted[below] + (place - below) * (sorted[below + 1] - sorted[below]);
        }
    }

    /// <summary>other - reference, 0 for equal numbers though they are infinite.</summary>
    internal static double Difference(double reference, double other) => reference == other ? 0 : other - reference;

    private static double Z(double confidence) => Normal.InvCDF(0, 1, (1 + confidence) / 2);
}
