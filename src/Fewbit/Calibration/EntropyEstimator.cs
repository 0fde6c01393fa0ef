using Fewbit.Formats;

namespace Fewbit.Calibration;

/// <summary>Searches the range of least Kullback-Leibler divergence, for formats of at most 8 bits. With more bits nothing is clipped: codes would be finer than bins.</summary>
/// <remarks>
/// <see cref="EntropyLoss"/>. Where nearly every value has a bin of its own, as in a weight of few elements, there is no distribution to tell apart and the full range wins.
/// </remarks>
internal sealed class EntropyEstimator() : HistogramEstimator(countsAll: true) // the noise of sampled counts would look like something that codes lose
{
    private const int MostBits = 8;

    public override ValueRange Estimate(NumberFormat format, QuantizationScheme scheme)
    {
        if (!HasValues || format.BitWidth > MostBits) return Observed;
        var loss = new EntropyLoss(Histogram);
        return RangeEnds.Search(Observed, format, scheme, range =>
        {
            (float scale, int zeroPoint) = QuantizationParameters.Fit(range, format, scheme);
            return loss.Of(EdgesOf(format, scale, zeroPoint));
        });
    }

    /// <summary>Half-way between neighbouring numbers, and as far beyond the outermost ones.</summary>
    internal static double[] EdgesOf(NumberFormat format, float scale, int zeroPoint)
    {
        float[] numbers = format.Numbers(zeroPoint);
        var edges = new double[numbers.Length + 1];
        for (int i = 1; i < numbers.Length; i++) edges[i] = scale * ((double)numbers[i - 1] + numbers[i]) / 2;
        edges[0] = 2.0 * scale * numbers[0] - edges[1];
        edges[^1] = 2.0 * scale * numbers[^1] - edges[^2];
        return edges;
    }
}
