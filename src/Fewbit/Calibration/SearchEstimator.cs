using System.Runtime.InteropServices;
using Fewbit.Formats;

namespace Fewbit.Calibration;

/// <summary>Keeps the first values of a tensor and searches the range among a paper's candidates.</summary>
/// <param name="candidatesOf">The candidates for values of a range.</param>
/// <remarks>
/// The papers search on 64 or 256 pictures; 4,194,304 values are as many as 256 pictures of 16 x 32 x 32 have. Values behind them are left out.
/// </remarks>
internal sealed class SearchEstimator(Func<ValueRange, NumberFormat, QuantizationScheme, RangeCandidate[]> candidatesOf) : RangeEstimator
{
    private const int MostValues = 1 << 22;
    private readonly List<float> _values = [];

    /// <inheritdoc/>
    public override ValueRange Estimate(NumberFormat format, QuantizationScheme scheme)
    {
        if (_values.Count == 0) return Observed;
        (float scale, int zeroPoint) = Fit(format, scheme);
        ValueRange numbers = format.RangeOf(zeroPoint);
        return new(numbers.Min * scale, numbers.Max * scale);
    }

    /// <inheritdoc/>
    public override (float Scale, int ZeroPoint) Fit(NumberFormat format, QuantizationScheme scheme)
    {
        if (_values.Count == 0) return QuantizationParameters.Fit(Observed, format, scheme);
        ReadOnlySpan<float> values = CollectionsMarshal.AsSpan(_values);
        RangeCandidate best = RangeSearch.Best(values, candidatesOf(Extremes(values), format, scheme), format);
        return (best.Scale, best.ZeroPoint);
    }

    private protected override void Add(ReadOnlySpan<float> values, ValueRange range) => _values.AddRange(values[..Math.Min(values.Length, MostValues - _values.Count)]);
}
