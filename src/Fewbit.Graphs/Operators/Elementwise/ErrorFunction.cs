namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>The error function in float64.</summary>
/// <remarks>Abramowitz and Stegun, 7.1.6 (series of positive terms) and 7.1.14 (continued fraction).</remarks>
internal static class ErrorFunction
{
    private const double SeriesEnd = 3;
    private const double One = 6; // beyond it 1 - erf is below half a unit in the last place of 1

    public static double Erf(double x)
    {
        double magnitude = Math.Abs(x);
        if (double.IsNaN(x)) return x;
        double result = magnitude < SeriesEnd ? Series(magnitude) : magnitude < One ? 1 - Fraction(magnitude) : 1;
        return Math.CopySign(result, x);
    }

    private static double Series(double x)
    {
        double term = x, sum = x, square = x * x;
        for (int n = 1; term > sum * 1e-17; n++)
        {
            term *= 2 * square / (2 * n + 1);
            sum += term;
        }
        return 2 / Math.Sqrt(Math.PI) * Math.Exp(-square) * sum;
    }

    private static double Fraction(double x)
    {
        double tail = x;
        for (int n = 60; n > 0; n--) tail = x + n * 0.5 / tail;
        return Math.Exp(-x * x) / (Math.Sqrt(Math.PI) * tail);
    }
}
