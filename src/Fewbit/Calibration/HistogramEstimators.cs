using Fewbit.Formats;

namespace Fewbit.Calibration;

/// <summary>An estimator that keeps a histogram of the values.</summary>
internal abstract class HistogramEstimator : RangeEstimator
{
    private protected GrowingHistogram Histogram { get; } = new();

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
/// <remarks>
/// A grid search, as in Nagel et al., "A White Paper on Neural Network Quantization", 2021, arXiv:2106.08295, section 3.1.
/// The grid is geometric, so that a far outlier cannot hide the optimum; with two free ends it is searched coarsely, then refined one end after the other.
/// </remarks>
internal sealed class MeanSquaredErrorEstimator : HistogramEstimator
{
    private const int Refinements = 3;
    private static readonly float[] s_fine = [.. Enumerable.Range(0, 101).Select(step => MathF.Pow(0.96f, step))];
    private static readonly float[] s_coarse = [.. Enumerable.Range(0, 19).Select(step => MathF.Pow(0.8f, step))];
    private static readonly float[] s_near = [.. Enumerable.Range(-5, 11).Select(step => MathF.Pow(0.96f, step))];

    public override ValueRange Estimate(NumberFormat format, QuantizationScheme scheme)
    {
        if (!HasValues) return Observed;
        var search = new Search(Histogram, format, scheme, Observed);
        bool hasTwoEnds = scheme == QuantizationScheme.Affine && format is IntegerFormat && Observed.Min < 0 && Observed.Max > 0;
        if (!hasTwoEnds)
        {
            foreach (float factor in s_fine) search.Try(new(Observed.Min * factor, Observed.Max * factor));
            return search.Best;
        }
        foreach (float low in s_coarse)
        {
            foreach (float high in s_coarse) search.Try(new(Observed.Min * low, Observed.Max * high));
        }
        for (int round = 0; round < Refinements; round++)
        {
            ValueRange start = search.Best;
            foreach (float factor in s_near) search.Try(start with { Max = MathF.Min(Observed.Max, start.Max * factor) });
            start = search.Best;
            foreach (float factor in s_near) search.Try(start with { Min = MathF.Max(Observed.Min, start.Min * factor) });
        }
        return search.Best;
    }

    /// <summary>The best range so far.</summary>
    private sealed class Search
    {
        private readonly NumberFormat _format;
        private readonly QuantizationScheme _scheme;
        private readonly QuantizationError _error;
        private double _least;

        public Search(GrowingHistogram histogram, NumberFormat format, QuantizationScheme scheme, ValueRange start)
        {
            (_format, _scheme, Best, _error) = (format, scheme, start, new(histogram));
            _least = Error(start);
        }

        public ValueRange Best { get; private set; }

        public void Try(ValueRange range)
        {
            double error = Error(range);
            if (error < _least) (Best, _least) = (range, error);
        }

        private double Error(ValueRange range)
        {
            (float scale, int zeroPoint) = QuantizationParameters.Fit(range, _format, _scheme);
            return _error.Of(scale, zeroPoint, _format);
        }
    }
}
