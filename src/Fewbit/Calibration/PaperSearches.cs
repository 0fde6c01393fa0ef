using Fewbit.Formats;

namespace Fewbit.Calibration;

/// <summary>The range search of the code published with Li et al., "BRECQ", 2021, arXiv:2102.05426: 80 ranges, each 1 % of the full one shorter.</summary>
internal static class BrecqSearch
{
    private const int Candidates = 80;

    /// <summary>The candidates, longest range first.</summary>
    /// <param name="range">Lowest and highest of the values.</param>
    /// <param name="format">The codes.</param>
    /// <param name="scheme">Symmetric: signed codes around 0. Formats other than integers have no zero point: they are searched as symmetric ones.</param>
    public static RangeCandidate[] Of(ValueRange range, NumberFormat format, QuantizationScheme scheme)
    {
        var candidates = new RangeCandidate[Candidates];
        for (int i = 0; i < Candidates; i++)
        {
            float factor = (float)(1 - 0.01 * i), min = factor * range.Min, max = factor * range.Max;
            candidates[i] = scheme == QuantizationScheme.Affine && format is IntegerFormat integers ? RangeCandidate.Of(min, max, integers) : RangeCandidate.Symmetric(MathF.Max(-min, max), format);
        }
        return candidates;
    }
}

/// <summary>The range search of the code published with Wei et al., "QDrop", 2022, arXiv:2203.05740: 100 lengths, and every zero point where values lie on both sides of 0.</summary>
internal static class QDropSearch
{
    private const int Lengths = 100;

    /// <summary>The candidates, shortest range first.</summary>
    /// <param name="range">Lowest and highest of the values.</param>
    /// <param name="tensor">The same of the whole tensor that the values are a channel of: it decides whether they lie on one side of 0.</param>
    /// <param name="format">The codes.</param>
    /// <param name="scheme">Symmetric: signed codes around 0. Formats other than integers have no zero point: they are searched as symmetric ones.</param>
    /// <remarks>
    /// A symmetric scale is limit / highest code; the published code divides by half a code more, since its symmetric codes are not narrow.
    /// </remarks>
    public static RangeCandidate[] Of(ValueRange range, ValueRange tensor, NumberFormat format, QuantizationScheme scheme)
    {
        if (scheme == QuantizationScheme.Symmetric || format is not IntegerFormat integers) return [.. Limits(range).Select(limit => RangeCandidate.Symmetric(limit, format))];
        if (tensor.Min >= 0) return [.. Limits(range).Select(limit => RangeCandidate.Of(0, limit, integers))];
        if (tensor.Max <= 0) return [.. Limits(range).Select(limit => RangeCandidate.Of(-limit, 0, integers))];
        float length = MathF.Max(range.Max, 0) - MathF.Min(range.Min, 0);
        return [.. Enumerable.Range(1, Lengths).SelectMany(i => AllZeroPoints(RangeCandidate.Of(0, length / Lengths * i, integers).Scale, integers))];
    }

    private static IEnumerable<float> Limits(ValueRange range) => Enumerable.Range(1, Lengths).Select(i => MathF.Max(MathF.Abs(range.Min), range.Max) / Lengths * i);

    private static IEnumerable<RangeCandidate> AllZeroPoints(float scale, IntegerFormat format) =>
        Enumerable.Range(format.Min, format.Max - format.Min + 1).Select(zeroPoint => new RangeCandidate(scale, zeroPoint));
}
