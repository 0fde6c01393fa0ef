using MathNet.Numerics;
using MathNet.Numerics.Distributions;

namespace Fewbit.Evaluation;

/// <summary>The exact upper bound of lost share - gained share, for pairs of answers to the same samples.</summary>
/// <remarks>
/// Outcomes are ordered by the score bound of Tango, 1998, "Equivalence test and confidence interval for the difference in proportions for the paired-sample design", or by the bound
/// of the lost samples alone where that is lower: with few losses and much confidence the score bound is too high. The bound is the largest drop under which an outcome as good as the observed one, or better, is no rarer than allowed, whatever the share of gained samples is (Buehler, 1957, "Confidence
/// intervals for the product of two binomial parameters"). So it holds at any number of samples, where the score bound itself is too low when there are few disagreements.
/// The share of gained samples ranges over an interval that misses it in 1 of 10,000 of the allowed cases, which are taken off (Berger and Boos, 1994, "P values maximized over a confidence set").
/// </remarks>
internal sealed class PairedDropBound
{
    private const double NuisanceShare = 1e-4, Tail = 1e-12, Precision = 1e-7;
    private const int GridPoints = 24, Bisections = 40;
    private readonly long _lost, _gained, _total;
    private readonly double _allowed, _z, _order;
    private readonly long _fewLost = -1;
    private readonly List<long> _limits = [];

    private PairedDropBound(long lost, long gained, long total, double confidence)
    {
        (_lost, _gained, _total, _allowed) = (lost, gained, total, 1 - confidence);
        _z = Normal.InvCDF(0, 1, confidence);
        double score = Bisect((double)(lost - gained) / total, 1, drop => Statistic(lost, gained, drop) > -_z);
        _order = Math.Min(score, Bisect((double)lost / total, 1, share => AtMost(lost, total, share) > _allowed));
        while (AtMost(_fewLost + 1, total, _order) <= _allowed) _fewLost++;
    }

    /// <param name="lost">Samples that only the first is right on.</param>
    /// <param name="gained">Samples that only the second is right on.</param>
    /// <param name="total">All samples, at least 1.</param>
    /// <param name="confidence">That the true drop is at most the bound, above 0.5 and below 1.</param>
    public static double Of(long lost, long gained, long total, double confidence) =>
        lost == total ? 1 : new PairedDropBound(lost, gained, total, confidence).Find();

    /// <summary>P(events of total are at most count) of a binomial distribution.</summary>
    public static double AtMost(long count, long total, double share) =>
        count < 0 ? 0 : count >= total || share <= 0 ? 1 : share >= 1 ? 0 : SpecialFunctions.BetaRegularized(total - count, count + 1, 1 - share);

    /// <summary>The last number for which a condition holds, which holds from the start up to some number.</summary>
    public static double Bisect(double holds, double fails, Func<double, bool> condition)
    {
        for (int i = 0; i < Bisections; i++)
        {
            double middle = (holds + fails) / 2;
            if (condition(middle)) holds = middle;
            else fails = middle;
        }
        return fails;
    }

    /// <summary>The root in the drop for one share of gained samples is a lower bound; the share is moved to the worst one until no other is worse.</summary>
    private double Find()
    {
        double allowed = _allowed * (1 - NuisanceShare), tail = _allowed * NuisanceShare / 2;
        double lowest = _gained == 0 ? 0 : Bisect(0, (double)_gained / _total, share => 1 - AtMost(_gained - 1, _total, share) < tail);
        double highest = Bisect((double)_gained / _total, 1, share => AtMost(_gained, _total, share) > tail);
        double bound = Math.Max(0, (double)(_lost - _gained) / _total);
        while (true)
        {
            (double share, double probability) = Worst(bound, Math.Sqrt(lowest), Math.Sqrt(highest));
            if (probability <= allowed * (1 + Precision)) return bound;
            // Lost and gained samples are at most all: with the drop the share must fall.
            bound = Bisect(bound, 1, drop => Probability(drop, Math.Min(share, Math.Sqrt((1 - drop) / 2))) > allowed);
        }
    }

    /// <summary>The share of gained samples, as its square root, with the largest probability of the outcomes. Over square roots counts vary alike everywhere.</summary>
    private (double Share, double Probability) Worst(double drop, double lowest, double highest)
    {
        highest = Math.Min(highest, Math.Sqrt((1 - drop) / 2));
        lowest = Math.Min(lowest, highest);
        double step = (highest - lowest) / GridPoints;
        (double Share, double Probability) best = (lowest, 0);
        for (int i = 0; i <= GridPoints; i++) Consider(lowest + i * step);
        for (double width = step / 2; width > step / 100; width /= 2)
        {
            double middle = best.Share;
            Consider(Math.Max(lowest, middle - width));
            Consider(Math.Min(highest, middle + width));
        }
        return best;

        void Consider(double share)
        {
            double probability = Probability(drop, share);
            if (probability > best.Probability) best = (share, probability);
        }
    }

    /// <summary>P(an outcome at least as good) = sum over gained counts c of P(c) P(lost at most limit(c), given c).</summary>
    private double Probability(double drop, double rootOfGained)
    {
        double gained = rootOfGained * rootOfGained, lost = Math.Min(1, (drop + gained) / (1 - gained)), sum = 0;
        double mean = _total * gained, reach = 6 * Math.Sqrt(mean + 1) + 6;
        for (long c = Math.Max(0, (long)(mean - reach)); c <= Math.Min(_total, (long)(mean + reach)); c++)
        {
            double weight = gained == 0 ? (c == 0 ? 1 : 0) : Binomial.PMF(gained, (int)_total, (int)c);
            if (weight > Tail) sum += weight * AtMost(Limit(c), _total - c, lost);
        }
        return sum;
    }

    /// <summary>The most lost samples with which an outcome is at least as good as the observed one; -1 where none is.</summary>
    private long Limit(long gained)
    {
        while (_limits.Count <= gained) _limits.Add(FindLimit(_limits.Count));
        return _limits[(int)gained];
    }

    private long FindLimit(long gained)
    {
        if (!IsAsGood(0, gained)) return -1;
        (long good, long bad) = (Math.Clamp(_fewLost, 0, _total - gained), _total - gained + 1);
        while (bad - good > 1)
        {
            long middle = (good + bad) / 2;
            if (IsAsGood(middle, gained)) good = middle;
            else bad = middle;
        }
        return good;
    }

    private bool IsAsGood(long lost, long gained) => lost <= _fewLost || (lost, gained) == (_lost, _gained) || Statistic(lost, gained, _order) <= -_z + 1e-9;

    /// <summary>Tango's score statistic of the hypothesis that the drop is as given; it falls with the drop.</summary>
    private double Statistic(long lost, long gained, double drop)
    {
        double n = _total, b = (2 * n - lost + gained) * drop - lost - gained, c = -gained * drop * (1 - drop);
        double share = (Math.Sqrt(Math.Max(0, b * b - 8 * n * c)) - b) / (4 * n), variance = n * (2 * share + drop * (1 - drop));
        double difference = lost - gained - n * drop;
        return variance <= 0 ? (difference > 0 ? double.PositiveInfinity : difference < 0 ? double.NegativeInfinity : 0) : difference / Math.Sqrt(variance);
    }
}
