using Fewbit.Promises;

namespace Fewbit.Tests.Promises;

public sealed class HeldOutLooksTests
{
    [Fact]
    public void ConfidenceOf_AllLooks_ErrTogetherInFivePercent()
    {
        Assert.Equal(0.96, HeldOutLooks.ConfidenceOf(1), 12);
        Assert.Equal(0.995, HeldOutLooks.ConfidenceOf(2), 12);
        Assert.InRange(Enumerable.Range(1, 100_000).Sum(look => 1 - HeldOutLooks.ConfidenceOf(look)), 0.0499, 0.05);
        Assert.Equal(321, HeldOutLooks.SamplesNeeded(0.01));
    }

    [Fact]
    public void Looks_CandidatesThatLoseTooMuch_AreSeldomPromised()
    {
        // Five candidates in a row whose true drop is 1.05 points, on the same 595 samples: looked at one after the other with plain 95 % bounds, many searches would end well for one of them.
        const int Searches = 1500, Samples = 595;
        (int promised, int withoutCorrection) = (0, 0);
        var random = new Random(11);
        var known = new Dictionary<(int, int, double), double>();
        for (int search = 0; search < Searches; search++)
        {
            (bool isPromised, bool isPlain) = (false, false);
            for (int look = 1; look <= 5; look++)
            {
                int lost = Enumerable.Range(0, Samples).Count(_ => random.NextDouble() < 0.0105);
                isPromised |= Bound(lost, HeldOutLooks.ConfidenceOf(look)) <= 0.01;
                isPlain |= Bound(lost, 0.95) <= 0.01;
            }
            if (isPromised) promised++;
            if (isPlain) withoutCorrection++;
        }
        Assert.InRange(promised, 0, 0.05 * Searches);
        Assert.True(withoutCorrection > promised, $"{withoutCorrection} without correction, {promised} with it");

        double Bound(int lost, double confidence)
        {
            if (!known.TryGetValue((lost, 0, confidence), out double bound)) known[(lost, 0, confidence)] = bound = new PairedOutcome(PromiseMeasure.Agreement, lost, 0, Samples, 0).UpperBound(confidence);
            return bound;
        }
    }

    [Fact]
    public void ScaledTo_OtherNumberOfSamples_KeepsTheSharesAndRoundsAgainstTheCandidate()
    {
        PairedOutcome scaled = new PairedOutcome(PromiseMeasure.Top1, 5, 3, 200, 0.1).ScaledTo(100);
        Assert.Equal((3L, 1L, 100L), (scaled.Lost, scaled.Gained, scaled.Total));
    }
}
