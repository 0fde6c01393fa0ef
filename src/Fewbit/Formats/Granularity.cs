namespace Fewbit.Formats;

/// <summary>Which elements of a tensor share one scale.</summary>
/// <param name="Axis">The dimension whose every index has a scale of its own; null where the whole tensor shares one.</param>
public readonly record struct Granularity(int? Axis)
{
    /// <summary>One scale for the tensor.</summary>
    public static Granularity PerTensor => new(null);

    /// <summary>One scale for each index of dimension <paramref name="axis"/>.</summary>
    public static Granularity PerChannel(int axis) => new(axis);

    /// <inheritdoc/>
    public override string ToString() => Axis is { } axis ? $"per channel (axis {axis})" : "per tensor";
}

/// <summary>Where the zero point lies.</summary>
public enum QuantizationScheme
{
    /// <summary>In the middle of the codes: 0 for signed formats, half of them for unsigned ones.</summary>
    Symmetric,
    /// <summary>Anywhere, so that the codes span just the range.</summary>
    Affine,
}
