using Fewbit.Evaluation;

namespace Fewbit.Tests.Evaluation;

public sealed class DropBoundTests
{
    [Theory]
    [InlineData(0, 100, 0.0295130)] // 1 - 0.05^(1/100)
    [InlineData(2, 50, 0.1206139)] // the solution of (1-p)^48 ((1-p)^2 + 50 p (1-p) + 1225 p^2) = 0.05
    [InlineData(7, 7, 1)]
    public void UpperBoundOfShare_KnownCounts_EqualsClopperPearson(long events, long total, double expected)
    {
        double bound = PairedStatistics.UpperBoundOfShare(events, total);
        Assert.Equal(expected, bound, 5);
        if (events == total) return;
        double sum = 0, term = Math.Pow(1 - bound, total);
        for (int k = 0; k <= events; k++, term *= (total - k + 1.0) / k * bound / (1 - bound)) sum += term;
        Assert.Equal(0.05, sum, 6);
    }

    [Fact]
    public void UpperBoundOfDrop_NoDisagreement_IsThatOfAShareOfZero()
    {
        foreach (int total in new[] { 10, 299, 2000 })
        {
            double share = PairedStatistics.UpperBoundOfShare(0, total);
            Assert.Equal(share, PairedStatistics.UpperBoundOfDrop(0, 0, total), 4);
            // With much confidence, ten samples leave room for gained ones that nobody saw.
            share = PairedStatistics.UpperBoundOfShare(0, total, 0.998);
            Assert.InRange(PairedStatistics.UpperBoundOfDrop(0, 0, total, 0.998), share - 1e-9, total == 10 ? 0.6 : share + 1e-5);
        }
    }

    [Fact]
    public void UpperBoundOfDrop_ManyDisagreements_ApproachesTheNormalBound()
    {
        // 60 lost, 50 gained of 3200: 10/3200 + 1.645 sqrt(110/3200 - (10/3200)^2)/sqrt(3200) = 0.00851.
        Assert.InRange(PairedStatistics.UpperBoundOfDrop(60, 50, 3200), 0.0083, 0.0090);
        // Gains count: without them the same losses allow no such bound.
        Assert.True(PairedStatistics.UpperBoundOfDrop(60, 0, 3200) > 0.0225);
    }

    [Fact]
    public void UpperBoundOfDrop_FewSamples_IsNotIdle()
    {
        // One of 20 lost: 0.2161 for the lost ones alone, and no gained one can say less.
        Assert.InRange(PairedStatistics.UpperBoundOfDrop(1, 0, 20), 0.2, 0.24);
        Assert.InRange(PairedStatistics.UpperBoundOfDrop(9, 0, 10), 0.9, 1);
    }

    [Fact]
    public void UpperBoundOfDrop_MoreLostOrFewerGained_IsHigher()
    {
        for (int lost = 0; lost < 6; lost++)
        {
            for (int gained = 1; gained < 6; gained++)
            {
                Assert.True(PairedStatistics.UpperBoundOfDrop(lost + 1, gained, 200) > PairedStatistics.UpperBoundOfDrop(lost, gained, 200));
                Assert.True(PairedStatistics.UpperBoundOfDrop(lost, gained - 1, 200) >= PairedStatistics.UpperBoundOfDrop(lost, gained, 200) - 1e-9);
            }
        }
    }

    [Theory]
    [InlineData(30, 0.02, 0.0)]
    [InlineData(30, 0.1, 0.05)]
    [InlineData(30, 0.0, 0.1)]
    [InlineData(30, 0.05, 0.3)]
    [InlineData(60, 0.049, 0.0)] // 0.951^60 is 0.049: a score bound misses here
    [InlineData(60, 0.03, 0.02)]
    public void UpperBoundOfDrop_EveryOutcomeCounted_CoversAtLeast95Percent(int total, double drop, double gained)
    {
        double missed = 0;
        for (int b = 0; b <= total; b++)
        {
            for (int c = 0; b + c <= total; c++)
            {
                double probability = Multinomial(total, b, c, drop + gained, gained);
                if (probability > 1e-5 && PairedStatistics.UpperBoundOfDrop(b, c, total) < drop) missed += probability;
            }
        }
        // What is left out is at most 1e-5 for each outcome, and most of that is not missed.
        Assert.InRange(missed, 0, 0.05);
    }

    [Fact]
    public void UpperBoundOfDrop_Simulated_HoldsTheTruthNineteenTimesOfTwentyAndIsNotIdle()
    {
        var random = new Random(5);
        var known = new Dictionary<(int, int), double>();
        int missed = 0;
        const int Repetitions = 2000, Samples = 595;
        for (int i = 0; i < Repetitions; i++)
        {
            (int lost, int gained) = (0, 0);
            for (int s = 0; s < Samples; s++)
            {
                double u = random.NextDouble();
                if (u < 0.03) lost++;
                else if (u < 0.05) gained++;
            }
            if (!known.TryGetValue((lost, gained), out double bound)) known[(lost, gained)] = bound = PairedStatistics.UpperBoundOfDrop(lost, gained, Samples);
            if (bound < 0.01) missed++;
        }
        // 5 % of 2000 is 100, a standard error 10; an idle bound would miss hardly ever.
        Assert.InRange(missed, 50, 129);
    }

    [Theory]
    [InlineData(0.01, 0.95, 299)]
    [InlineData(0.01, 0.975, 368)]
    [InlineData(0.05, 0.95, 59)]
    public void SamplesNeeded_WithoutDisagreement_IsTheFirstNumberWhoseBoundIsLowEnough(double drop, double confidence, long expected)
    {
        Assert.Equal(expected, PairedStatistics.SamplesNeeded(drop, confidence));
        Assert.True(PairedStatistics.UpperBoundOfShare(0, expected, confidence) <= drop);
        Assert.True(PairedStatistics.UpperBoundOfShare(0, expected - 1, confidence) > drop);
    }

    [Fact]
    public void UpperBounds_WrongCounts_AreRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => PairedStatistics.UpperBoundOfDrop(6, 5, 10));
        Assert.Throws<ArgumentOutOfRangeException>(() => PairedStatistics.UpperBoundOfShare(0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => PairedStatistics.UpperBoundOfDrop(1, 1, 10, 1));
    }

    private static double Multinomial(int n, int b, int c, double lost, double gained)
    {
        double log = LogFactorial(n) - LogFactorial(b) - LogFactorial(c) - LogFactorial(n - b - c);
        return Math.Exp(log) * Math.Pow(lost, b) * Math.Pow(gained, c) * Math.Pow(1 - lost - gained, n - b - c);
    }

    private static double LogFactorial(int n) => Enumerable.Range(1, n).Sum(k => Math.Log(k));
}
