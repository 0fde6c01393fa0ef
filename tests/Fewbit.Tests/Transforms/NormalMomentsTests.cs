using Fewbit.Tensors;
using Fewbit.Transforms;

namespace Fewbit.Tests.Transforms;

public sealed class NormalMomentsTests
{
    private const int Draws = 200_000;

    [Theory]
    [InlineData(0, 1, 0, double.PositiveInfinity)]
    [InlineData(-2, 0.5, 0, double.PositiveInfinity)]
    [InlineData(1.5, 4, 0, 6)]
    [InlineData(5, 9, 0, 6)]
    [InlineData(0.3, 1, -1, 0.5)]
    public void Clamp_AgreesWithDraws(double mean, double variance, double low, double high)
    {
        AssertAgrees(NormalMoments.Clamp(mean, variance, low, high), mean, variance, x => Math.Clamp(x, low, high));
    }

    [Theory]
    [InlineData(0.2, 1, 0.1)]
    [InlineData(-1, 2, -0.5)]
    public void Leaky_AgreesWithDraws(double mean, double variance, double slope) =>
        AssertAgrees(NormalMoments.Leaky(mean, variance, slope), mean, variance, x => x > 0 ? x : slope * x);

    [Fact]
    public void Clamp_NoVariance_IsTheClampedMean() => Assert.Equal((2, 0), NormalMoments.Clamp(3, 0, 0, 2));

    [Fact]
    public void Clamp_Relu_IsThePapersFormula()
    {
        // E = gamma phi(-beta / gamma) + beta (1 - Phi(-beta / gamma)) at beta = gamma = 1.
        double density = Math.Exp(-0.5) / Math.Sqrt(2 * Math.PI);
        Assert.Equal(density + 0.8413447460685429, NormalMoments.Clamp(1, 1, 0, double.PositiveInfinity).Mean, 12);
    }

    private static void AssertAgrees((double Mean, double Variance) found, double mean, double variance, Func<double, double> function)
    {
        var random = new SeededRandom(5);
        double[] draws = new double[Draws];
        for (int i = 0; i < Draws; i++) draws[i] = function(mean + Math.Sqrt(variance) * random.NextNormal());
        double average = draws.Average(), spread = draws.Average(x => (x - average) * (x - average));
        // Five standard errors of a mean, and of a variance as of a normal variable.
        Assert.Equal(average, found.Mean, 5 * Math.Sqrt(spread / Draws) + 1e-9);
        Assert.Equal(spread, found.Variance, 15 * spread * Math.Sqrt(2.0 / Draws) + 1e-4);
    }
}
