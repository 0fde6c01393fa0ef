namespace Fewbit.Reports;

/// <summary>Round numbers for axes.</summary>
internal static class Scale
{
    /// <summary>1, 2 or 5 times a power of ten, so that about so many steps span a length.</summary>
    public static double Step(double length, int steps)
    {
        if (!(length > 0)) return 1;
        double raw = length / steps, power = Math.Pow(10, Math.Floor(Math.Log10(raw))), digit = raw / power;
        return (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10) * power;
    }
}
