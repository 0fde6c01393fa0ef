namespace Fewbit.Calibration;

/// <summary>The Kullback-Leibler divergence, in nats, from the values of a histogram to what is left of them behind a quantizer.</summary>
/// <remarks>
/// Migacz, "8-bit Inference with TensorRT", GTC 2017: P are the values, those beyond the ends moved into the outermost filled bins that are kept;
/// Q spreads the values of each code evenly over the filled bins that it stands for, without those beyond the ends.
/// A range so short that nearly all values are moved makes P and Q alike; the original forbids less than a sixteenth of the full range, here at most a
/// tenth of the values may be moved, so that far outliers can be clipped.
/// The bin of 0 counts no more than its fuller neighbour: zeros, half of what a Relu leaves, have a code of their own and lose nothing (the original overwrites its first bin).
/// What chance alone makes of as many bins is subtracted, (filled bins - codes in use) / (2 values): without that a weight of few elements
/// seems to lose by every code that holds two of them, and its largest are clipped.
/// Sums over the bins of a code are differences of prefix sums, so a candidate costs one logarithm a code, however many bins there are.
/// </remarks>
internal sealed class EntropyLoss
{
    // Differences of sums over as many values as a double counts leave this much noise.
    private const double Noise = 1e-9;
    // As many as the original has: more bins hold more chance, not more shape.
    private const int MostBins = 2048;
    private const double LeastKept = 0.9;
    private readonly double _width, _firstMiddle;
    private readonly double[] _counts, _below, _filledBelow, _logsBelow;

    public EntropyLoss(GrowingHistogram histogram)
    {
        (double middle, ReadOnlyMemory<long> all) = histogram.Span();
        double[] counts = WithoutZeros(all.Span, (int)Math.Clamp(Math.Round(0.5 - middle / histogram.Width), -1, all.Length));
        int joined = Math.Max(1, (counts.Length + MostBins - 1) / MostBins);
        (_width, _firstMiddle) = (histogram.Width * joined, middle + histogram.Width * (joined - 1) / 2);
        _counts = joined > 1 ? [.. counts.Chunk(joined).Select(chunk => chunk.Sum())] : counts;
        (_below, _filledBelow, _logsBelow) = (new double[_counts.Length + 1], new double[_counts.Length + 1], new double[_counts.Length + 1]);
        for (int i = 0; i < _counts.Length; i++)
        {
            _below[i + 1] = _below[i] + _counts[i];
            _filledBelow[i + 1] = _filledBelow[i] + (_counts[i] > 0 ? 1 : 0);
            _logsBelow[i + 1] = _logsBelow[i] + OfCount(_counts[i]);
        }
    }

    /// <summary>Bins that are told apart.</summary>
    public IEnumerable<(double Middle, double Count)> Bins => _counts.Select((count, i) => (_firstMiddle + i * _width, count)).Where(bin => bin.count > 0);

    /// <summary>The divergence, at least 0; infinite where more than a tenth of the values lies beyond the ends.</summary>
    /// <param name="edges">Ascending: where the numbers of the first code begin, then where those of each code end.</param>
    public double Of(ReadOnlySpan<double> edges)
    {
        int low = BinsBelow(edges[0]), high = BinsBelow(edges[^1]);
        double all = _below[^1], inside = _below[high] - _below[low];
        if (all == 0) return 0;
        if (inside < LeastKept * all) return double.PositiveInfinity;
        (int first, int last) = OutermostFilled(low, high);
        double under = _below[low], over = all - _below[high], spread = 0, codes = 0;
        for (int code = 1, start = low; code < edges.Length; code++)
        {
            int end = BinsBelow(edges[code]);
            double own = _below[end] - _below[start], moved = (start <= first && first < end ? under : 0) + (start <= last && last < end ? over : 0);
            if (own > 0) (spread, codes) = (spread + (own + moved) * Math.Log(own / (_filledBelow[end] - _filledBelow[start])), codes + 1);
            start = end;
        }
        double growth = first == last ? Growth(first, under + over) : Growth(first, under) + Growth(last, over);
        double chance = (_filledBelow[high] - _filledBelow[low] - codes) / (2 * all), divergence = (_logsBelow[high] - _logsBelow[low] + growth - spread) / all + Math.Log(inside / all) - chance;
        return divergence < Noise ? 0 : divergence;
    }

    private (int First, int Last) OutermostFilled(int low, int high) =>
        (Array.FindIndex(_counts, low, high - low, count => count > 0), Array.FindLastIndex(_counts, high - 1, high - low, count => count > 0));

    private double Growth(int bin, double more) => OfCount(_counts[bin] + more) - OfCount(_counts[bin]);

    private static double OfCount(double count) => count > 0 ? count * Math.Log(count) : 0;

    private int BinsBelow(double edge) => (int)Math.Clamp(Math.Ceiling((edge - _firstMiddle) / _width), 0, _counts.Length);

    private static double[] WithoutZeros(ReadOnlySpan<long> counts, int zero)
    {
        var kept = new double[counts.Length];
        for (int i = 0; i < kept.Length; i++) kept[i] = counts[i];
        // Alone it is all there is: a constant tensor.
        if (zero < 0 || zero >= kept.Length || kept.Length == 1) return kept;
        kept[zero] = Math.Min(kept[zero], Math.Max(zero > 0 ? kept[zero - 1] : 0, zero + 1 < kept.Length ? kept[zero + 1] : 0));
        return kept;
    }
}
