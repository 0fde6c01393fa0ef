using Fewbit.Formats;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Calibration;

/// <summary>Counts of values in bins of equal width. The width is a power of two that doubles when a value falls outside.</summary>
/// <remarks>
/// Bins start at multiples of their width, so neighbours merge without error: the first 2^20 values count the same in any order and batches.
/// After them, what lies in the inner half of the range is sampled: there an eighth of the values tells the density, while the tails, which decide where to clip, stay exact.
/// The bins in use are more than a quarter of all, unless all values are equal.
/// </remarks>
/// <param name="countsAll">Whether no value is ever left out.</param>
internal sealed class GrowingHistogram(bool countsAll = false)
{
    private const int BinCount = BinCounts.Bins;
    private const long FarthestBin = 1 << 29, CountedInFull = 1 << 20;
    private readonly long[] _counts = new long[BinCount];
    private double _width;
    private long _firstBin; // bin i holds values in [(_firstBin + i) * _width, (_firstBin + i + 1) * _width)

    private double _min = double.PositiveInfinity, _max = double.NegativeInfinity;

    /// <summary>Sum of the counts.</summary>
    public long Total { get; private set; }

    /// <summary>Width of a bin; 0 while there are no values.</summary>
    public double Width => _width;

    /// <summary>Adds values where all of them lie in the bins that there are.</summary>
    /// <param name="values">Any values.</param>
    /// <param name="range">Their lowest and highest.</param>
    /// <returns>False where a value is not finite or lies outside; nothing is added then.</returns>
    public bool TryAdd(ReadOnlySpan<float> values, out ValueRange range)
    {
        range = default;
        // The kernel multiplies in float: by a normal power of two that is exact.
        if (_width == 0 || !float.IsNormal((float)(1 / _width)) || Math.Abs(_firstBin) > FarthestBin) return false;
        if (!BinCounts.TryAdd(values, (float)(1 / _width), (int)_firstBin, Sampled(), _counts, out float min, out float max, out long counted)) return false;
        range = new(min, max);
        Note(range, counted);
        return true;
    }

    private (int First, int Count) Sampled()
    {
        if (countsAll || Total < CountedInFull) return default;
        int first = (int)((long)Math.Floor(Math.Min(0, _min / 2) / _width) - _firstBin), last = (int)((long)Math.Floor(Math.Max(0, _max / 2) / _width) - _firstBin);
        return (first, last - first + 1);
    }

    private void Note(ValueRange range, long counted)
    {
        (_min, _max) = (Math.Min(_min, range.Min), Math.Max(_max, range.Max));
        Total += counted;
    }

    /// <param name="values">Finite values.</param>
    /// <param name="range">Their lowest and highest.</param>
    public void Add(ReadOnlySpan<float> values, ValueRange range)
    {
        Cover(range);
        if (TryAdd(values, out _)) return;
        // A product by a power of two is exact, so floor finds the same bin at any width.
        double inverse = 1 / _width;
        foreach (float value in values) _counts[(long)Math.Floor(value * inverse) - _firstBin]++;
        Note(range, values.Length);
    }

    /// <summary>Counts of the bins from the lowest to the highest that holds something, and the middle of the first.</summary>
    public (double FirstMiddle, ReadOnlyMemory<long> Counts) Span()
    {
        if (Total == 0) return (0, default);
        int low = Array.FindIndex(_counts, count => count > 0), high = Array.FindLastIndex(_counts, count => count > 0);
        return ((_firstBin + low + 0.5) * _width, _counts.AsMemory(low, high - low + 1));
    }

    /// <summary>Bins that hold something: their middle and count, lowest first.</summary>
    public IEnumerable<(double Middle, long Count)> Filled()
    {
        for (int i = 0; i < BinCount; i++)
        {
            if (_counts[i] > 0) yield return ((_firstBin + i + 0.5) * _width, _counts[i]);
        }
    }

    /// <summary>The number below which a share of the values lies, interpolated within its bin.</summary>
    public double Quantile(double share)
    {
        double wanted = share * Total, below = 0;
        for (int i = 0; i < BinCount; i++)
        {
            if (_counts[i] == 0) continue;
            if (below + _counts[i] >= wanted) return (_firstBin + i + (wanted - below) / _counts[i]) * _width;
            below += _counts[i];
        }
        return (_firstBin + BinCount) * _width;
    }

    /// <summary>Share of the values in bins whose middle lies outside of a range.</summary>
    public double ShareOutside(ValueRange range)
    {
        long outside = 0;
        foreach ((double middle, long count) in Filled())
        {
            if (middle < range.Min || middle > range.Max) outside += count;
        }
        return Total == 0 ? 0 : (double)outside / Total;
    }

    private void Cover(ValueRange range)
    {
        if (_width == 0)
        {
            double span = Math.Max((double)range.Max - range.Min, Math.Max(Math.Abs((double)range.Min), Math.Abs((double)range.Max)) / BinCount);
            _width = span == 0 ? 1 : Math.ScaleB(1, Math.ILogB(span / BinCount));
            _firstBin = (long)Math.Floor(range.Min / _width);
        }
        while (true)
        {
            long low = (long)Math.Floor(range.Min / _width), high = (long)Math.Floor(range.Max / _width);
            long lowest = Total == 0 ? low : Math.Min(low, LowestFilled()), highest = Total == 0 ? high : Math.Max(high, HighestFilled());
            if (highest - lowest < BinCount)
            {
                // In the middle, so that the next extreme finds room on either side.
                MoveTo(lowest - (BinCount - 1 - (highest - lowest)) / 2);
                return;
            }
            Double();
        }
    }

    private long LowestFilled() => _firstBin + Array.FindIndex(_counts, count => count > 0);

    private long HighestFilled() => _firstBin + Array.FindLastIndex(_counts, count => count > 0);

    private void MoveTo(long first)
    {
        if (first >= _firstBin && Total > 0 && HighestFilled() - first >= BinCount) throw new InvalidOperationException("Bug in the histogram: counts would fall outside");
        long shift = _firstBin - first;
        if (shift == 0) return;
        long[] moved = new long[BinCount];
        for (int i = 0; i < BinCount; i++)
        {
            if (_counts[i] > 0) moved[i + shift] = _counts[i];
        }
        moved.CopyTo(_counts, 0);
        _firstBin = first;
    }

    private void Double()
    {
        long first = _firstBin >> 1;
        long[] merged = new long[BinCount];
        for (int i = 0; i < BinCount; i++)
        {
            if (_counts[i] > 0) merged[((_firstBin + i) >> 1) - first] += _counts[i];
        }
        merged.CopyTo(_counts, 0);
        (_firstBin, _width) = (first, _width * 2);
    }
}
