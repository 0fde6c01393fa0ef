using Fewbit.Data;
using Fewbit.Evaluation;
using Fewbit.Tensors;

namespace Fewbit.Tests.Evaluation;

public sealed class PairedScoreTests
{
    [Fact]
    public void OfMean_HandComputed_IsStudents()
    {
        // Mean 2.5, deviation 1.290994, t(3, 0.975) = 3.182446: half a width of 2.054260.
        Interval interval = PairedStatistics.OfMean([1, 2, 3, 4]);
        Assert.Equal(2.5 - 2.054260, interval.Low, 5);
        Assert.Equal(2.5 + 2.054260, interval.High, 5);
        // t(3, 0.95) = 2.353363
        Assert.Equal(2.5 + 2.353363 * 1.290994 / 2, PairedStatistics.OfMean([1, 2, 3, 4], 0.9).High, 5);
        Assert.True(double.IsPositiveInfinity(PairedStatistics.OfMean([7]).High));
    }

    [Fact]
    public void OfDraws_KnownNumbers_InterpolatesTheirPercentiles()
    {
        double[] draws = [.. Enumerable.Range(0, 101).Select(i => (double)i).Reverse()];
        Interval interval = PairedStatistics.OfDraws(draws, 0.95);
        Assert.Equal(2.5, interval.Low, 9);
        Assert.Equal(97.5, interval.High, 9);
    }

    [Fact]
    public void Top1_LostAndGained_BoundsTheDropFromOneSide()
    {
        PairedScore score = PairedScore.Top1(new(100, 100, 0.9, 0.88, 1, 1, 0.96, 0.01, Lost: 3, Gained: 1));
        Assert.Equal(0.02, score.Drop, 12);
        // Adjusted Wald: -(2/102 - 4/102) = 0.019608; sqrt((6/102 - 0.019608²)/102) = 0.023935; 1.644854 of these.
        Assert.Equal(0.019608 + 1.644854 * 0.023935, score.DropBound, 5);
        Assert.True(score.DropBound < -score.Interval.Low);
    }

    [Fact]
    public void Agreement_Unlabelled_DropsByTheDisagreements()
    {
        var classes = new PairedClassification();
        classes.Add(Tensor.From<float>([1, 0, 0, 1, 1, 0, 0, 1], [4, 2]), Tensor.From<float>([1, 0, 0, 1, 1, 0, 1, 0], [4, 2]), 4, null);
        PairedScore score = PairedScore.Agreement(classes.Result);
        Assert.Equal(0.25, score.Drop, 12);
        Assert.Equal([1, 1, 1, 0], score.ModelSamples);
        Assert.Equal(PairedStatistics.OfProportion(3, 4).Low - 1, score.Interval.Low, 12);
    }

    [Fact]
    public void Mean_LowerAndHigherScores_KeepTheirSign()
    {
        var better = PairedScore.Mean(Metric.Psnr, [30, 31, 33], [30.5, 31.4, 33.6]);
        Assert.Equal(0.5, better.Difference, 12);
        Assert.Equal(-0.5, better.Drop, 12);
        Assert.Equal(better.Interval.Low, PairedStatistics.OfMean([0.5, 0.4, 0.6]).Low, 9);
        // Both exact: no difference, though both are infinite.
        Assert.Equal(0, PairedScore.Mean(Metric.Psnr, [double.PositiveInfinity, 3], [double.PositiveInfinity, 3]).Interval.High);
    }

    [Fact]
    public void Judge_TwoModels_RunsTheFloatModelOnceOnEachBatch()
    {
        using FunctionModel reference = FunctionModel.Of(["N", 2], ["N", 2], x => x.Copy()), swapped = FunctionModel.Of(["N", 2], ["N", 2], x => Tensor.From<float>([.. Enumerable.Repeat(1f, (int)x.ElementCount)], x.Shape));
        SampleBatch[] batches = [FunctionModel.Batch(Tensor.From<float>([1, 0, 0, 1], [2, 2]), 0, [0, 1]), FunctionModel.Batch(Tensor.From<float>([0, 1], [1, 2]), 2, [1])];
        var judge = new PairedJudge(reference, _ => batches);
        Assert.Equal(1, judge.Judge(reference).Score!.Model);
        int runs = reference.Runs;
        EvaluationResult result = judge.Judge(swapped);
        Assert.Equal(runs, reference.Runs);
        Assert.Equal((3L, Metric.Top1), (result.Samples, result.Score!.Metric));
        Assert.Equal([1, 0, 0], result.Score.ModelSamples);
        Assert.Equal([1, 1, 1], result.Score.ReferenceSamples);
        // Where nothing may be kept, it runs again.
        var forgetful = new PairedJudge(reference, _ => batches, cacheBytes: 0);
        forgetful.Judge(swapped);
        Assert.Equal(runs + 2, reference.Runs);
    }
}
