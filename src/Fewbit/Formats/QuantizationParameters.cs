using Fewbit.Tensors;

namespace Fewbit.Formats;

/// <summary>How the codes of one tensor stand for real numbers: real = number(code, zero point) * scale, for integers (code - zero point) * scale.</summary>
public sealed class QuantizationParameters
{
    private readonly float[] _scales;
    private readonly int[] _zeroPoints;

    /// <summary>Parameters for each index of the granularity's axis, or one pair for the whole tensor.</summary>
    /// <exception cref="ArgumentException">The counts differ, a scale is not finite and positive, or a zero point is not a code.</exception>
    public QuantizationParameters(NumberFormat format, Granularity granularity, ReadOnlySpan<float> scales, ReadOnlySpan<int> zeroPoints)
    {
        if (scales.Length != zeroPoints.Length || scales.Length == 0 || (granularity.Axis is null && scales.Length != 1))
            throw new ArgumentException($"{scales.Length} scales and {zeroPoints.Length} zero points for {granularity}", nameof(scales));
        foreach (float scale in scales) Require.Positive(scale, nameof(scales));
        (int least, int most) = format.ZeroPoints;
        foreach (int zeroPoint in zeroPoints) Require.InRange(zeroPoint, least, most, nameof(zeroPoints));
        (Numbers, Granularity) = (format, granularity);
        _scales = scales.ToArray();
        _zeroPoints = zeroPoints.ToArray();
    }

    /// <summary>Parameters of a whole tensor.</summary>
    public QuantizationParameters(NumberFormat format, float scale, int zeroPoint = 0)
        : this(format, Granularity.PerTensor, [scale], [zeroPoint])
    {
    }

    /// <summary>The numbers that codes stand for before they are scaled.</summary>
    public NumberFormat Numbers { get; }

    /// <summary>The codes of an integer format, for who computes with codes.</summary>
    /// <exception cref="InvalidOperationException">The format is none of integers.</exception>
    public IntegerFormat Format => Numbers as IntegerFormat ?? throw new InvalidOperationException($"the numbers are {Numbers}, expected integers: their codes cannot be computed with");

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
    public ValueRange RangeOf(int channel = 0)
    {
        ValueRange numbers = Numbers.RangeOf(_zeroPoints[channel]);
        return new(numbers.Min * _scales[channel], numbers.Max * _scales[channel]);
    }

    /// <summary>Scale and zero point with which a format's numbers span a range: <see cref="NumberFormat.Fit"/>.</summary>
    public static (float Scale, int ZeroPoint) Fit(ValueRange range, NumberFormat format, QuantizationScheme scheme) => format.Fit(range, scheme);

    /// <summary>Parameters of a whole tensor whose codes span a range.</summary>
    public static QuantizationParameters FitTensor(ValueRange range, NumberFormat format, QuantizationScheme scheme)
    {
        (float scale, int zeroPoint) = Fit(range, format, scheme);
        return new(format, scale, zeroPoint);
    }

    /// <summary>True where both give every number the same code.</summary>
    public bool SameAs(QuantizationParameters other) =>
        HasSameCodes(other.Numbers) && Granularity == other.Granularity && Scales.SequenceEqual(other.Scales) && ZeroPoints.SequenceEqual(other.ZeroPoints);

    // Integers of one storage type are told apart by their range alone: inside it all give the same codes.
    private bool HasSameCodes(NumberFormat other) => Numbers is IntegerFormat && other is IntegerFormat ? Numbers.StorageType == other.StorageType : Numbers == other;
}
