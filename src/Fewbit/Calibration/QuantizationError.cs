using System.Numerics;
using Fewbit.Formats;

namespace Fewbit.Calibration;

/// <summary>The sum of squared errors that rounding to a grid makes on the values of a histogram, each taken for the middle of its bin.</summary>
/// <remarks>
/// Few values, as in one channel of a weight, are rounded one by one, in vectors. Many: with the counts P0 and the sums P1 of all values below an edge e
/// between two codes, the sum is Σ (x - q)² for the highest code's number q, plus 2 scale Σ over the edges of P1(e) - e P0(e): lowering what lies below
/// an edge by one code changes its squares by exactly that. So a candidate costs one look-up an edge, however many bins there are.
/// </remarks>
internal sealed class QuantizationError
{
    // Rounding this many values takes as long as looking up one edge.
    private const int ValuesAnEdge = 2;
    private readonly GrowingHistogram _histogram;
    private readonly double _width, _squares;
    // Filled bins: their middles and counts, then zeros up to a whole vector.
    private readonly double[] _middles, _counts;
    private (double Count, double Sum)[]? _below;
    private double[]? _squaresBelow;

    public QuantizationError(GrowingHistogram histogram)
    {
        (_histogram, _width) = (histogram, histogram.Width);
        (double first, ReadOnlyMemory<long> all) = histogram.Span();
        Filled = all.Length - all.Span.Count(0);
        int length = (Filled + Vector<double>.Count - 1) / Vector<double>.Count * Vector<double>.Count, at = 0;
        (_middles, _counts) = (new double[length], new double[length]);
        for (int i = 0; i < all.Length; i++)
        {
            if (all.Span[i] == 0) continue;
            (double middle, double count) = (first + i * _width, all.Span[i]);
            (_middles[at], _counts[at++]) = (middle, count);
            _squares += count * middle * middle;
        }
    }

    private int Filled { get; }

    // Number and sum of the values in the first i bins, side by side.
    private (double Count, double Sum)[] Below => _below ??= SumsBelow(_histogram);

    /// <summary>The sum for a format's numbers times a scale.</summary>
    public double Of(float scale, int zeroPoint, NumberFormat format) => Filled == 0 ? 0 :
        format is IntegerFormat integers ? OfIntegers(scale, zeroPoint, integers) : OfLevels(format.Numbers(zeroPoint), scale);

    /// <summary>Between the middles of neighbours all values take one number.</summary>
    private double OfLevels(float[] numbers, float scale)
    {
        (double Count, double Sum)[] below = Below;
        double error = _squares, perBin = 1 / _width, offset = _middles[0] * perBin;
        (double Count, double Sum) under = default;
        for (int i = 0; i < numbers.Length; i++)
        {
            double number = (double)numbers[i] * scale;
            (double Count, double Sum) next = i == numbers.Length - 1 ? below[^1]
                : below[(int)Math.Clamp(Math.Ceiling((number + (double)numbers[i + 1] * scale) / 2 * perBin - offset), 0, below.Length - 1)];
            error += number * (number * (next.Count - under.Count) - 2 * (next.Sum - under.Sum));
            under = next;
        }
        return error;
    }

    private double OfIntegers(float scale, int zeroPoint, IntegerFormat format)
    {
        if (scale < 2 * _width) return OfFineCodes(scale, format.RangeOf(zeroPoint));
        // Codes beyond the values are never taken: the search starts and ends at those next to them.
        int first = CodeOf(_middles[0], scale, zeroPoint, format), last = CodeOf(_middles[Filled - 1], scale, zeroPoint, format);
        if (Filled <= ValuesAnEdge * (last - first)) return OfValues(scale, format.RangeOf(zeroPoint));
        (double Count, double Sum)[] all = Below;
        (double count, double sum) = all[^1];
        double top = ((double)last - zeroPoint) * scale, below = 0, perBin = 1 / _width, offset = _middles[0] * perBin;
        for (int code = first; code < last; code++)
        {
            double edge = (code + 0.5 - zeroPoint) * scale;
            (double count, double sum) under = all[Math.Clamp((int)Math.Ceiling(edge * perBin - offset), 0, all.Length - 1)];
            below += under.sum - edge * under.count;
        }
        return _squares - 2 * top * sum + top * top * count + 2 * scale * below;
    }

    private double OfValues(float scale, ValueRange numbers)
    {
        Vector<double> low = new(numbers.Min), high = new(numbers.Max), step = new(scale), inverse = new(1 / (double)scale), sums = Vector<double>.Zero;
        for (int i = 0; i < _middles.Length; i += Vector<double>.Count)
        {
            Vector<double> value = new(_middles, i), difference = Vector.Min(Vector.Max(Vector.Round(value * inverse), low), high) * step - value;
            sums += new Vector<double>(_counts, i) * difference * difference;
        }
        return Vector.Sum(sums);
    }

    /// <summary>Codes about as close as bins: between the ends an error is as likely anywhere in half a code up or down, which the middles of bins would not tell.</summary>
    private double OfFineCodes(float scale, ValueRange numbers)
    {
        double low = (double)numbers.Min * scale, high = (double)numbers.Max * scale;
        int first = BinsBelow(low - scale / 2.0), last = BinsBelow(high + scale / 2.0);
        return Beyond(low, 0, first) + Beyond(high, last, Below.Length - 1) + (Below[last].Count - Below[first].Count) * scale * scale / 12;
    }

    /// <summary>Σ (x - end)² over bins.</summary>
    private double Beyond(double end, int first, int last)
    {
        double[] squares = _squaresBelow ??= SquaresBelow(_histogram);
        return Math.Max(0, squares[last] - squares[first] - 2 * end * (Below[last].Sum - Below[first].Sum) + end * end * (Below[last].Count - Below[first].Count));
    }

    private int BinsBelow(double edge) => (int)Math.Clamp(Math.Ceiling((edge - _middles[0]) / _width), 0, Below.Length - 1);

    private static double[] SquaresBelow(GrowingHistogram histogram)
    {
        (double first, ReadOnlyMemory<long> counts) = histogram.Span();
        var below = new double[counts.Length + 1];
        for (int i = 0; i < counts.Length; i++)
        {
            double middle = first + i * histogram.Width;
            below[i + 1] = below[i] + counts.Span[i] * middle * middle;
        }
        return below;
    }

    private static (double, double)[] SumsBelow(GrowingHistogram histogram)
    {
        (double first, ReadOnlyMemory<long> counts) = histogram.Span();
        var below = new (double Count, double Sum)[counts.Length + 1];
        for (int i = 0; i < counts.Length; i++)
        {
            double count = counts.Span[i];
            below[i + 1] = (below[i].Count + count, below[i].Sum + count * (first + i * histogram.Width));
        }
        return below;
    }

    private static int CodeOf(double value, float scale, int zeroPoint, IntegerFormat format) =>
        (int)Math.Clamp(Math.Round(value / scale) + zeroPoint, format.Min, format.Max);
}
