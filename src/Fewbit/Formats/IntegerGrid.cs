namespace Fewbit.Formats;

/// <summary>A format's numbers as whole multiples of a unit that fit into int8: then its weights run in integers.</summary>
/// <param name="Unit">The multiples' unit: a weight's scale in the file is scale * unit.</param>
/// <param name="Multiples">Of each code.</param>
internal sealed record IntegerGrid(float Unit, sbyte[] Multiples)
{
    // A multiple of the unit may differ from the number by the rounding of both to float32.
    private const double Tolerance = 1.0 / (1 << 22);

    /// <summary>The grid of a format other than integers; null where its numbers are no whole multiples of the highest / 127 or more.</summary>
    public static IntegerGrid? Of(NumberFormat format)
    {
        if (format is not LevelFormat) return null;
        float[] numbers = format.Numbers();
        double highest = Math.Max(Math.Abs((double)numbers[0]), Math.Abs((double)numbers[^1]));
        for (int steps = 1; steps <= sbyte.MaxValue && highest > 0; steps++)
        {
            double unit = highest / steps;
            if (Array.TrueForAll(numbers, number => Math.Abs(Math.Round(number / unit) * unit - number) <= Tolerance * Math.Abs(number))) return Create(format, unit);
        }
        return null;
    }

    private static IntegerGrid Create(NumberFormat format, double unit) =>
        new((float)unit, [.. Enumerable.Range(0, 1 << format.BitWidth).Select(code => MultipleOf(format.Decode(code), unit))]);

    // Codes that are no numbers, such as NaN, are never taken.
    private static sbyte MultipleOf(float number, double unit) => float.IsFinite(number) ? (sbyte)Math.Round(number / unit) : (sbyte)0;
}
