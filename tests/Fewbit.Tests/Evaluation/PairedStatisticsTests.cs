using Fewbit.Evaluation;
using Fewbit.Tensors;

namespace Fewbit.Tests.Evaluation;

public sealed class PairedStatisticsTests
{
    [Theory]
    [InlineData(0, 0, 1)]
    [InlineData(3, 3, 1)]
    [InlineData(0, 5, 2 * 1.0 / 32)]
    [InlineData(1, 5, 2 * 7.0 / 64)]
    [InlineData(5, 1, 2 * 7.0 / 64)]
    [InlineData(2, 8, 2 * (1 + 10 + 45) / 1024.0)]
    public void McNemarP_SmallCounts_EqualsBinomialSum(long lost, long gained, double p) => Assert.Equal(p, PairedStatistics.McNemarP(lost, gained), 12);

    [Fact]
    public void McNemarP_ManyDisagreements_ApproachesNormal()
    {
        // z = (600 - 500 - 1) / sqrt(1100) = 2.985, two-sided p = 0.002836 with continuity correction.
        Assert.Equal(0.002836, PairedStatistics.McNemarP(500, 600), 5e-5);
    }

    [Fact]
    public void OfProportion_PublishedExample_EqualsWilson()
    {
        // Newcombe 1998, table I, method 3: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 gives 0 to 0.1611.
        Interval interval = PairedStatistics.OfProportion(81, 263);
        Assert.Equal(0.2553, interval.Low, 4);
        Assert.Equal(0.3662, interval.High, 4);
        Assert.Equal(0, PairedStatistics.OfProportion(0, 20).Low, 12);
        Assert.Equal(0.1611, PairedStatistics.OfProportion(0, 20).High, 4);
    }

    [Fact]
    public void OfPairedDifference_HandComputed_EqualsAdjustedWald()
    {
        // (12 + 1)/102 - (2 + 1)/102 = 0.098039; sqrt((0.156863 - 0.009612)/102) = 0.037995; times 1.959964 = 0.074468.
        Interval interval = PairedStatistics.OfPairedDifference(lost: 2, gained: 12, total: 100);
        Assert.Equal(0.098039 - 0.074468, interval.Low, 5);
        Assert.Equal(0.098039 + 0.074468, interval.High, 5);
        Assert.True(PairedStatistics.OfPairedDifference(5, 5, 100).Contains(0));
    }

    [Fact]
    public void OfPairedDifference_Simulated_HoldsTheTruthNineteenTimesOfTwenty()
    {
        var random = new Random(3);
        int held = 0;
        const int Repetitions = 2000, Samples = 400;
        for (int i = 0; i < Repetitions; i++)
        {
            int lost = 0, gained = 0;
            for (int s = 0; s < Samples; s++)
            {
                double u = random.NextDouble();
                if (u < 0.03) lost++;
                else if (u < 0.05) gained++;
            }
            if (PairedStatistics.OfPairedDifference(lost, gained, Samples).Contains(-0.01)) held++;
        }
        // 95 % of 2000 is 1900; three standard errors are 29.
        Assert.InRange(held, 1860, 1960);
    }

    [Fact]
    public void Add_TwoModels_CountsWhatEachIsRightOn()
    {
        var paired = new PairedClassification();
        Tensor reference = Tensor.From<float>([2, 1, 0, 0, 3, 1, 0, 0, 5, 9, 9, 9], [4, 3]), other = Tensor.From<float>([1, 2, 0, 0, 3, 1, 5, 0, 4, 9, 9, 9], [4, 3]);
        paired.Add(reference, other, 3, [0, 1, 0]);
        ClassificationResult result = paired.Result;
        Assert.Equal((3L, 3L, 1L, 1L), (result.Samples, result.Labelled, result.Lost, result.Gained));
        Assert.Equal((2.0 / 3, 2.0 / 3, 1.0 / 3, 0.0), (result.ReferenceTop1, result.Top1, result.Agreement, result.Difference));
        Assert.Equal((1.0, 1.0), (result.ReferenceTop5, result.Top5));
        Assert.Equal(1, result.P);
    }

    [Fact]
    public void MeanKl_LogitsAndProbabilities_AgreeWithTheFormula()
    {
        var logits = new PairedClassification();
        logits.Add(Tensor.From<float>([0, MathF.Log(3)], [1, 2]), Tensor.From<float>([5, 5], [1, 2]), 1, null);
        double expected = 0.25 * Math.Log(0.25 / 0.5) + 0.75 * Math.Log(0.75 / 0.5);
        Assert.Equal(expected, logits.Result.MeanKl, 6);
        var probabilities = new PairedClassification();
        probabilities.Add(Tensor.From<float>([0.25f, 0.75f], [1, 2]), Tensor.From<float>([0.5f, 0.5f], [1, 2]), 1, null);
        Assert.Equal(expected, probabilities.Result.MeanKl, 6);
        Assert.Null(probabilities.Result.P);
    }

    [Fact]
    public void SignalToNoise_KnownError_IsInDecibels()
    {
        var difference = new OutputDifference();
        difference.Add([10, 0], [9, 0]);
        Assert.Equal(20, difference.SignalToNoise, 9);
        Assert.Equal(1, difference.MaxDifference);
        Assert.Equal(1, difference.Cosine, 12);
        difference.Add([0], [2]);
        Assert.Equal(10 * Math.Log10(100 / 5.0), difference.SignalToNoise, 9);
    }
}
