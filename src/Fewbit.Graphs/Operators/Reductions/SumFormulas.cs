using System.Numerics;

namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>A result that is a function of a sum over functions of the elements.</summary>
internal interface ISumFormula
{
    static abstract T Map<T>(T x) where T : INumber<T>;

    static abstract Vector<double> Map(Vector<double> x);

    static abstract T Finish<T>(T sum, long count) where T : INumber<T>;
}

internal readonly struct SumFormula : ISumFormula
{
    public static T Map<T>(T x) where T : INumber<T> => x;

    public static Vector<double> Map(Vector<double> x) => x;

    public static T Finish<T>(T sum, long count) where T : INumber<T> => sum;
}

internal readonly struct MeanFormula : ISumFormula
{
    public static T Map<T>(T x) where T : INumber<T> => x;

    public static Vector<double> Map(Vector<double> x) => x;

    // A mean of no integers has no value; 0 is what an empty sum is.
    public static T Finish<T>(T sum, long count) where T : INumber<T> => count == 0 && typeof(T) == typeof(long) ? T.Zero : sum / T.CreateTruncating(count);
}

internal readonly struct SumSquareFormula : ISumFormula
{
    public static T Map<T>(T x) where T : INumber<T> => x * x;

    public static Vector<double> Map(Vector<double> x) => x * x;

    public static T Finish<T>(T sum, long count) where T : INumber<T> => sum;
}

internal readonly struct L1Formula : ISumFormula
{
    public static T Map<T>(T x) where T : INumber<T> => T.IsNegative(x) ? T.Zero - x : x;

    public static Vector<double> Map(Vector<double> x) => Vector.Abs(x);

    public static T Finish<T>(T sum, long count) where T : INumber<T> => sum;
}

internal readonly struct L2Formula : ISumFormula
{
    public static T Map<T>(T x) where T : INumber<T> => x * x;

    public static Vector<double> Map(Vector<double> x) => x * x;

    public static T Finish<T>(T sum, long count) where T : INumber<T> => T.CreateTruncating(Math.Sqrt(double.CreateTruncating(sum)));
}

internal readonly struct LogSumFormula : ISumFormula
{
    public static T Map<T>(T x) where T : INumber<T> => x;

    public static Vector<double> Map(Vector<double> x) => x;

    public static T Finish<T>(T sum, long count) where T : INumber<T> => T.CreateTruncating(Math.Log(double.CreateTruncating(sum)));
}
