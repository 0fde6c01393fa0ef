using Fewbit.Tensors;

namespace Fewbit.Formats;

/// <summary>How the codes of one tensor stand for real numbers: real = (code - zero point) * scale.</summary>
public sealed class QuantizationParameters
{
    private readonly float[] _scales;
    private readonly int[] _zeroPoints;

    /// <summary>Parameters for each index of the granularity's axis, or one pair for the whole tensor.</summary>
    /// <exception cref="ArgumentException">The counts differ, a scale is not finite and positive, or a zero point is not a code.</exception>
    public QuantizationParameters(IntegerFormat format, Granularity granularity, ReadOnlySpan<float> scales, ReadOnlySpan<int> zeroPoints)
    {
        if (scales.Length != zeroPoints.Length || scales.Length == 0 || (granularity.Axis is null && scales.Length != 1))
            throw new ArgumentException($"{scales.Length} scales and {zeroPoints.Length} zero points for {granularity}", nameof(scales));
        foreach (float scale in scales) Require.Positive(scale, nameof(scales));
        foreach (int zeroPoint in zeroPoints) Require.InRange(zeroPoint, format.Min, format.Max, nameof(zeroPoints));
        (Format, Granularity) = (format, granularity);
        _scales = scales.ToArray();
        _zeroPoints = zeroPoints.ToArray();
    }

    /// <summary>Parameters of a whole tensor.</summary>
    public QuantizationParameters(IntegerFormat format, float scale, int zeroPoint)
        : this(format, Granularity.PerTensor, [scale], [zeroPoint])
    {
    }

    /// <summary>The codes.</summary>
    public IntegerFormat Format { get; }

    /// <summary>Which elements share a scale.</summary>
    public Granularity Granularity { get; }

    /// <summary>The scales, one a channel or one in all.</summary>
    public ReadOnlySpan<float> Scales => _scales;

    /// <summary>The zero points, one for each scale.</summary>
    public ReadOnlySpan<int> ZeroPoints => _zeroPoints;

    /// <summary>The scale of a tensor that has one.</summary>
    public float Scale => _scales.Length == 1 ? _scales[0] : throw new InvalidOperationException($"the parameters are {Granularity}: there is no single scale");

    /// <summary>The zero point of a tensor that has one.</summary>
    public int ZeroPoint => _zeroPoints.Length == 1 ? _zeroPoints[0] : throw new InvalidOperationException($"the parameters are {Granularity}: there is no single zero point");

    /// <summary>The real numbers that the codes of one channel reach.</summary>
    public ValueRange RangeOf(int channel = 0) =>
        new((Format.Min - _zeroPoints[channel]) * _scales[channel], (Format.Max - _zeroPoints[channel]) * _scales[channel]);

    /// <summary>Scale and zero point with which the codes span a range. The range is widened to hold 0, so that 0 has a code.</summary>
    /// <remarks>
    /// Symmetric: scale = max|x| / (codes above the zero point). Affine: scale = (max - min) / (codes - 1).
    /// A range so small that its scale is not a normal float gets scale 1 and the zero point of an empty range.
    /// </remarks>
    public static (float Scale, int ZeroPoint) Fit(ValueRange range, IntegerFormat format, QuantizationScheme scheme)
    {
        double min = Math.Min(0, range.Min), max = Math.Max(0, range.Max);
        if (scheme == QuantizationScheme.Symmetric)
        {
            int middle = format.IsSigned ? 0 : (format.Max + 1) / 2;
            // A 1-bit signed format has no code above 0: its only other code is below.
            float step = (float)(Math.Max(-min, max) / Math.Max(1, format.Max - middle));
            return float.IsNormal(step) ? (step, middle) : (1, middle);
        }
        float scale = (float)((max - min) / (format.Max - format.Min));
        if (!float.IsNormal(scale)) return (1, format.IsSigned && format.Min < 0 ? 0 : format.Min);
        int zeroPoint = (int)Math.Clamp(Math.Round(format.Min - min / scale, MidpointRounding.ToEven), format.Min, format.Max);
        return (scale, zeroPoint);
    }

    /// <summary>Parameters of a whole tensor whose codes span a range.</summary>
    public static QuantizationParameters FitTensor(ValueRange range, IntegerFormat format, QuantizationScheme scheme)
    {
        (float scale, int zeroPoint) = Fit(range, format, scheme);
        return new(format, scale, zeroPoint);
    }

    /// <summary>True where both give every number the same code.</summary>
    public bool SameAs(QuantizationParameters other) =>
        Format.StorageType == other.Format.StorageType && Granularity == other.Granularity && Scales.SequenceEqual(other.Scales) && ZeroPoints.SequenceEqual(other.ZeroPoints);
}
