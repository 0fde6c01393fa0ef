using Fewbit.Formats;

namespace Fewbit.Calibration;

/// <summary>An estimator that keeps a histogram of the values.</summary>
/// <param name="countsAll">Whether every value is counted, however many there are.</param>
internal abstract class HistogramEstimator(bool countsAll = false) : RangeEstimator
{
    private protected GrowingHistogram Histogram { get; } = new(countsAll);

    public override double? ShareOutside(ValueRange range) => base.ShareOutside(range) ?? Histogram.ShareOutside(range);

    private protected override bool TryAdd(ReadOnlySpan<float> values, out ValueRange range) => Histogram.TryAdd(values, out range);

    private protected override void Add(ReadOnlySpan<float> values, ValueRange range) => Histogram.Add(values, range);
}

/// <summary>Clips the same share of values at both ends.</summary>
internal sealed class PercentileEstimator(double percent) : HistogramEstimator
{
    public override ValueRange Estimate(NumberFormat format, QuantizationScheme scheme)
    {
        if (!HasValues) return Observed;
        float low = (float)Histogram.Quantile(1 - percent / 100), high = (float)Histogram.Quantile(percent / 100);
        return new(Math.Clamp(low, Observed.Min, Observed.Max), Math.Clamp(high, Observed.Min, Observed.Max));
    }
}

/// <summary>Searches the range of least mean squared quantization error.</summary>
internal sealed class MeanSquaredErrorEstimator : HistogramEstimator
{
    public override ValueRange Estimate(NumberFormat format, QuantizationScheme scheme)
    {
        if (!HasValues) return Observed;
        var error = new QuantizationError(Histogram);
        return RangeEnds.Search(Observed, format, scheme, range =>
        {
            (float scale, int zeroPoint) = QuantizationParameters.Fit(range, format, scheme);
            return error.Of(scale, zeroPoint, format);
        });
    }
}
