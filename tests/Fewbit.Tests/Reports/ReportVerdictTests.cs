using Fewbit.Reports;

namespace Fewbit.Tests.Reports;

public class ReportVerdictTests
{
    [Theory]
    [InlineData(0, -0.002, 0.002, 1, VerdictLevel.Good, "As accurate as the float model")]
    [InlineData(-0.02, -0.06, 0.02, 0.4, VerdictLevel.Open, "No loss of accuracy can be shown")]
    [InlineData(-0.0315, -0.0398, -0.0231, 1e-9, VerdictLevel.Loss, "Loses 3.15 points of accuracy")]
    [InlineData(-0.845, -0.86, -0.828, 0, VerdictLevel.Severe, "Loses 84.50 points of accuracy")]
    [InlineData(0.02, 0.01, 0.03, 0.001, VerdictLevel.Good, "More accurate than the float model on these samples")]
    public void OfAccuracy_AnyDifference_IsCalledWhatTheIntervalAllows(double difference, double low, double high, double p, VerdictLevel level, string headline)
    {
        var verdict = ReportVerdict.OfAccuracy(difference, new(low, high), p, 2000);
        Assert.Equal((level, headline), (verdict.Level, verdict.Headline));
        Assert.Contains("on 2,000 samples", verdict.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, 2000, VerdictLevel.Good)]
    [InlineData(1, 20, VerdictLevel.Open)]
    [InlineData(0.95, 2000, VerdictLevel.Loss)]
    [InlineData(0.5, 2000, VerdictLevel.Severe)]
    public void OfAgreement_AnyShare_NeedsSamplesToBeGood(double share, long samples, VerdictLevel level) => Assert.Equal(level, ReportVerdict.OfAgreement(share, samples).Level);

    [Theory]
    [InlineData(40, VerdictLevel.Good, "The error of the outputs is 1 % of their magnitude")]
    [InlineData(20, VerdictLevel.Loss, "10 % of their magnitude")]
    [InlineData(0, VerdictLevel.Severe, "100 % of their magnitude")]
    [InlineData(double.PositiveInfinity, VerdictLevel.Good, "Outputs are equal.")]
    public void OfOutputs_AnyRatio_SaysWhatItMeans(double decibels, VerdictLevel level, string grounds)
    {
        var verdict = ReportVerdict.OfOutputs(decibels, "24 samples");
        Assert.Equal(level, verdict.Level);
        Assert.Contains(grounds, verdict.Detail, StringComparison.Ordinal);
    }
}
