using Fewbit.Formats;

namespace Fewbit.Calibration;

/// <summary>Searches the ends of a range for the least of an error.</summary>
/// <remarks>
/// A grid search, as in Nagel et al., "A White Paper on Neural Network Quantization", 2021, arXiv:2106.08295, section 3.1.
/// The grid is geometric, so that a far outlier cannot hide the optimum, and finer the fewer codes there are: few codes make an error of many minima that is cheap to compute.
/// What is best on the grid is refined: each end, both ends by one factor, both by one shift.
/// </remarks>
internal sealed class RangeEnds
{
    // Of the full range; a range may shrink to this share of it.
    private const double LeastShare = 0.0024;
    private const int Refinements = 4, Neighbours = 5;
    private readonly Func<ValueRange, double> _error;
    private readonly ValueRange _full;
    private ValueRange _best;
    private double _least;

    private RangeEnds(ValueRange full, Func<ValueRange, double> error) => (_full, _best, _error, _least) = (full, full, error, error(full));

    /// <param name="full">Where the search starts; the result lies inside. Of equally good ranges the first one tried wins, and this is the first.</param>
    /// <param name="format">What it is for: the more codes, the more an error costs; without a zero point both ends shrink alike.</param>
    /// <param name="scheme">Symmetric: both ends shrink alike too.</param>
    /// <param name="error">What is to be least.</param>
    public static ValueRange Search(ValueRange full, NumberFormat format, QuantizationScheme scheme, Func<ValueRange, double> error)
    {
        var search = new RangeEnds(full, error);
        if (search._least == 0) return full;
        bool hasTwoEnds = scheme == QuantizationScheme.Affine && format is IntegerFormat && full is { Min: < 0, Max: > 0 };
        if (hasTwoEnds) search.ShrinkEach(format.BitWidth > 6 ? 18 : format.BitWidth > 4 ? 32 : 64);
        else search.ShrinkBoth(format.BitWidth > 6 ? 100 : 400);
        return search._best;
    }

    private void ShrinkBoth(int steps)
    {
        double step = Math.Pow(LeastShare, 1.0 / steps);
        for (int i = 1; i <= steps; i++) Try(Scaled(_full, Math.Pow(step, i)));
        foreach (double fraction in (double[])[0.2, 0.04]) ScaleBest(Math.Pow(step, fraction));
    }

    private void ShrinkEach(int steps)
    {
        double step = Math.Pow(LeastShare, 1.0 / steps);
        float[] shares = [.. Enumerable.Range(0, steps + 1).Select(i => (float)Math.Pow(step, i))];
        foreach (float low in shares)
        {
            foreach (float high in shares) Try(new(_full.Min * low, _full.Max * high));
        }
        for (int round = 0; round < Refinements; round++) Refine(Math.Pow(step, round < 2 ? 0.2 : 0.04));
    }

    private void Refine(double step)
    {
        ValueRange start = _best;
        ForNeighbours(i => Try(start with { Max = start.Max * (float)Math.Pow(step, i) }));
        start = _best;
        ForNeighbours(i => Try(start with { Min = start.Min * (float)Math.Pow(step, i) }));
        ScaleBest(step);
        start = _best;
        float shift = (start.Max - start.Min) * (float)(1 - step);
        ForNeighbours(i => Try(new(start.Min + i * shift, start.Max + i * shift)));
    }

    private void ScaleBest(double step)
    {
        ValueRange start = _best;
        ForNeighbours(i => Try(Scaled(start, Math.Pow(step, i))));
    }

    private static void ForNeighbours(Action<int> action)
    {
        for (int i = -Neighbours; i <= Neighbours; i++)
        {
            if (i != 0) action(i);
        }
    }

    private static ValueRange Scaled(ValueRange range, double factor) => new((float)(range.Min * factor), (float)(range.Max * factor));

    private void Try(ValueRange range)
    {
        range = new(MathF.Max(_full.Min, range.Min), MathF.Min(_full.Max, range.Max));
        if (!(range.Min <= range.Max)) return;
        double found = _error(range);
        if (found < _least) (_best, _least) = (range, found);
    }
}
