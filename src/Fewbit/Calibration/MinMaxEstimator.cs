using Fewbit.Formats;

namespace Fewbit.Calibration;

/// <summary>From the lowest to the highest value.</summary>
internal sealed class MinMaxEstimator : RangeEstimator
{
    public override ValueRange Estimate(NumberFormat format, QuantizationScheme scheme) => Observed;

    private protected override void Add(ReadOnlySpan<float> values, ValueRange range)
    {
    }
}

/// <summary>Lowest and highest value of each batch, averaged exponentially.</summary>
internal sealed class MovingAverageEstimator(double momentum) : RangeEstimator
{
    private double _min, _max;
    private bool _isStarted;

    public override ValueRange Estimate(NumberFormat format, QuantizationScheme scheme) => new((float)_min, (float)_max);

    private protected override void Add(ReadOnlySpan<float> values, ValueRange range)
    {
        if (!_isStarted) (_min, _max, _isStarted) = (range.Min, range.Max, true);
        _min += momentum * (range.Min - _min);
        _max += momentum * (range.Max - _max);
    }
}
