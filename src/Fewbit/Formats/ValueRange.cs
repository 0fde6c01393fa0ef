using System.Globalization;

namespace Fewbit.Formats;

/// <summary>The real numbers that codes are to span.</summary>
/// <param name="Min">Lowest number.</param>
/// <param name="Max">Highest number.</param>
public readonly record struct ValueRange(float Min, float Max)
{
    /// <summary>The smallest range that holds both.</summary>
    public ValueRange Union(ValueRange other) => new(Math.Min(Min, other.Min), Math.Max(Max, other.Max));

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"[{Min:G4}, {Max:G4}]");
}
