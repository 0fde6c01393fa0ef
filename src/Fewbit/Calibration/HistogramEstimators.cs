using Fewbit.Formats;

namespace Fewbit.Calibration;

/// <summary>An estimator that keeps a histogram of the values.</summary>
internal abstract class HistogramEstimator : RangeEstimator
{
    private protected GrowingHistogram Histogram { get; } = new();

    public override double? ShareOutside(ValueRange range) => base.ShareOutside(range) ?? Histogram.ShareOutside(range);

    private protected override void Add(ReadOnlySpan<float> values, ValueRange range) => Histogram.Add(values, range);
}

/// <summary>Clips the same share of values at both ends.</summary>
internal sealed class PercentileEstimator(double percent) : HistogramEstimator
{
    public override ValueRange Estimate(IntegerFormat format, QuantizationScheme scheme)
    {
        if (!HasValues) return Observed;
        float low = (float)Histogram.Quantile(1 - percent / 100), high = (float)Histogram.Quantile(percent / 100);
        return new(Math.Max(low, Observed.Min), Math.Min(high, Observed.Max));
    }
}

/// <summary>Searches the range of least mean squared quantization error.</summary>
/// <remarks>
/// Both ends are shrunk together by 1 % steps to a tenth, then the upper and the lower end alone: a search on a grid as in
/// Nagel et al., "A White Paper on Neural Network Quantization", 2021, arXiv:2106.08295, section 3.1.
/// </remarks>
internal sealed class MeanSquaredErrorEstimator : HistogramEstimator
{
    private const int Steps = 90;

    public override ValueRange Estimate(IntegerFormat format, QuantizationScheme scheme)
    {
        if (!HasValues) return Observed;
        (double Middle, long Count)[] bins = [.. Histogram.Filled()];
        var middles = Array.ConvertAll(bins, bin => (float)bin.Middle);
        var weights = Array.ConvertAll(bins, bin => (double)bin.Count);
        var codes = new float[bins.Length];
        double Error(ValueRange range)
        {
            (float scale, int zeroPoint) = QuantizationParameters.Fit(range, format, scheme);
            AffineQuantizer.FakeQuantize(middles, codes, scale, zeroPoint, format);
            double sum = 0;
            for (int i = 0; i < codes.Length; i++)
            {
                double difference = codes[i] - middles[i];
                sum += weights[i] * difference * difference;
            }
            return sum;
        }

        ValueRange best = Observed;
        double least = Error(best);
        Search(factor => new(Observed.Min * factor, Observed.Max * factor));
        if (scheme == QuantizationScheme.Affine && Observed.Min < 0 && Observed.Max > 0)
        {
            ValueRange joint = best;
            Search(factor => joint with { Max = Observed.Max * factor });
            ValueRange upper = best;
            Search(factor => upper with { Min = Observed.Min * factor });
        }
        return best;

        void Search(Func<float, ValueRange> candidate)
        {
            for (int step = 0; step <= Steps; step++)
            {
                ValueRange range = candidate(1 - 0.01f * step);
                double error = Error(range);
                if (error < least) (best, least) = (range, error);
            }
        }
    }
}
