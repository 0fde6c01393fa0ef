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
public static class PairedStatistics
{
    private const double Z = 1.959963984540054; // 97.5 % point of the normal distribution

    /// <summary>95 % interval of a proportion.</summary>
    /// <remarks>The score interval of Wilson, 1927, "Probable inference, the law of succession, and statistical inference".</remarks>
    /// <param name="successes">Samples that count, 0 to <paramref name="total"/>.</param>
    /// <param name="total">All samples, at least 1.</param>
    public static Interval OfProportion(long successes, long total)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(total, 1);
        double share = (double)successes / total, z2 = Z * Z / total;
        double middle = (share + z2 / 2) / (1 + z2), half = Z / (1 + z2) * Math.Sqrt(share * (1 - share) / total + z2 / (4 * total));
        return new(Math.Max(0, middle - half), Math.Min(1, middle + half));
    }

    /// <summary>95 % interval of the difference of two proportions on the same samples: (gained - lost) / total.</summary>
    /// <remarks>The Laplace-adjusted Wald interval of Bonett and Price, 2012, "Adjusted Wald confidence interval for a difference of binomial proportions based on paired data".</remarks>
    /// <param name="lost">Samples that only the first is right on.</param>
    /// <param name="gained">Samples that only the second is right on.</param>
    /// <param name="total">All samples, at least 1.</param>
    public static Interval OfPairedDifference(long lost, long gained, long total)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(total, 1);
        double n = total + 2, up = (gained + 1) / n, down = (lost + 1) / n, difference = up - down;
        double half = Z * Math.Sqrt((up + down - difference * difference) / n);
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

}
