using Fewbit.Formats;

namespace Fewbit.Calibration;

/// <summary>The sum of squared errors that rounding to a grid makes on the values of a histogram, each taken for the middle of its bin.</summary>
/// <remarks>
/// With the counts P0 and the sums P1 of all values below an edge e between two codes, the sum is
/// Σ (x - q)² for the highest code's number q, plus 2 scale Σ over the edges of P1(e) - e P0(e): lowering what lies below an edge by one code changes
/// its squares by exactly that. So a candidate costs one look-up an edge, however many bins there are.
/// </remarks>
internal sealed class QuantizationError
{
    private readonly double _width, _firstMiddle, _squares;
    // Number and sum of the values in the first i bins, side by side.
    private readonly (double Count, double Sum)[] _below;

    public QuantizationError(GrowingHistogram histogram)
    {
        (_firstMiddle, ReadOnlyMemory<long> counts) = histogram.Span();
        _width = histogram.Width;
        _below = new (double, double)[counts.Length + 1];
        for (int i = 0; i < counts.Length; i++)
        {
            double middle = _firstMiddle + i * _width, count = counts.Span[i];
            _below[i + 1] = (_below[i].Count + count, _below[i].Sum + count * middle);
            _squares += count * middle * middle;
        }
    }

    /// <summary>The sum for a format's numbers times a scale.</summary>
    public double Of(float scale, int zeroPoint, NumberFormat format) =>
        format is IntegerFormat integers ? OfIntegers(scale, zeroPoint, integers) : OfLevels(format.Numbers(zeroPoint), scale);

    /// <summary>Between the middles of neighbours all values take one number.</summary>
    private double OfLevels(float[] numbers, float scale)
    {
        double error = _squares, perBin = 1 / _width, offset = _firstMiddle * perBin;
        (double Count, double Sum) under = default;
        for (int i = 0; i < numbers.Length; i++)
        {
            double number = (double)numbers[i] * scale;
            (double Count, double Sum) next = i == numbers.Length - 1 ? _below[^1]
                : _below[(int)Math.Clamp(Math.Ceiling((number + (double)numbers[i + 1] * scale) / 2 * perBin - offset), 0, _below.Length - 1)];
            error += number * (number * (next.Count - under.Count) - 2 * (next.Sum - under.Sum));
            under = next;
        }
        return error;
    }

    private double OfIntegers(float scale, int zeroPoint, IntegerFormat format)
    {
        if (scale < 2 * _width) return OfFineCodes(scale, format.RangeOf(zeroPoint));
        // Codes beyond the values are never taken: the search starts and ends at those next to them.
        double lowest = _firstMiddle, highest = _firstMiddle + (_below.Length - 2) * _width;
        int first = CodeOf(lowest, scale, zeroPoint, format), last = CodeOf(highest, scale, zeroPoint, format);
        (double count, double sum) = _below[^1];
        double top = ((double)last - zeroPoint) * scale, below = 0, perBin = 1 / _width, offset = _firstMiddle * perBin;
        for (int code = first; code < last; code++)
        {
            double edge = (code + 0.5 - zeroPoint) * scale;
            (double count, double sum) under = _below[Math.Clamp((int)Math.Ceiling(edge * perBin - offset), 0, _below.Length - 1)];
            below += under.sum - edge * under.count;
        }
        return _squares - 2 * top * sum + top * top * count + 2 * scale * below;
    }

    /// <summary>Codes about as close as bins: between the ends an error is as likely anywhere in half a code up or down, which the middles of bins would not tell.</summary>
    private double OfFineCodes(float scale, ValueRange numbers)
    {
        double low = (double)numbers.Min * scale, high = (double)numbers.Max * scale, rounded = (double)scale * scale / 12, sum = 0;
        for (int i = 0; i < _below.Length - 1; i++)
        {
            double middle = _firstMiddle + i * _width, beyond = Math.Max(low - middle, middle - high);
            sum += (_below[i + 1].Count - _below[i].Count) * (beyond > scale / 2 ? beyond * beyond : rounded);
        }
        return sum;
    }

    private static int CodeOf(double value, float scale, int zeroPoint, IntegerFormat format) =>
        (int)Math.Clamp(Math.Round(value / scale) + zeroPoint, format.Min, format.Max);
}
