using MathNet.Numerics;

namespace Fewbit.Transforms;

/// <summary>Mean and variance of functions of a normal variable.</summary>
internal static class NormalMoments
{
    /// <summary>Of clamp(x, low, high), where x has the given mean and variance; bounds may be infinite.</summary>
    /// <remarks>E = low Φ(a) + high (1 - Φ(b)) + mean P + deviation (φ(a) - φ(b)), with a and b the standardized bounds and P = Φ(b) - Φ(a).</remarks>
    public static (double Mean, double Variance) Clamp(double mean, double variance, double low, double high)
    {
        double deviation = Math.Sqrt(variance);
        if (deviation == 0) return (Math.Clamp(mean, low, high), 0);
        double a = (low - mean) / deviation, b = (high - mean) / deviation;
        double below = Probability(a), above = Probability(-b), inside = 1 - below - above;
        double slope = Density(a) - Density(b);
        double first = Weighted(low, below) + Weighted(high, above) + mean * inside + deviation * slope;
        double second = Weighted(low * low, below) + Weighted(high * high, above) + (mean * mean + variance) * inside
            + 2 * mean * deviation * slope + variance * (Weighted(a, Density(a)) - Weighted(b, Density(b)));
        return (first, Math.Max(0, second - first * first));
    }

    /// <summary>Of x where x is above 0, and slope * x below.</summary>
    public static (double Mean, double Variance) Leaky(double mean, double variance, double slope)
    {
        (double positive, double positiveVariance) = Clamp(mean, variance, 0, double.PositiveInfinity);
        (double negative, double negativeVariance) = Clamp(mean, variance, double.NegativeInfinity, 0);
        // One of the parts is always 0, so that their product has the mean 0 and not the product of means.
        double first = positive + slope * negative;
        double second = positiveVariance + positive * positive + slope * slope * (negativeVariance + negative * negative);
        return (first, Math.Max(0, second - first * first));
    }

    private static double Weighted(double value, double weight) => weight == 0 ? 0 : value * weight;

    private static double Density(double x) => Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI);

    private static double Probability(double x) => SpecialFunctions.Erfc(-x / Math.Sqrt(2)) / 2;
}
