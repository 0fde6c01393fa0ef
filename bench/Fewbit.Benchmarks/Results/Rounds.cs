using System.Diagnostics;
using System.Globalization;

namespace Fewbit.Benchmarks.Results;

/// <summary>The median times of two sides that took turns, in milliseconds, and the median of their ratios.</summary>
internal readonly record struct Comparison(double Theirs, double Ours, double Ratio)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Theirs:F2} | {Ours:F2} | {Ratio:F2}");
}

/// <summary>Times two sides turn about, so that what slows the machine down slows both.</summary>
internal static class Rounds
{
    private const double MillisecondsATurn = 60, WarmUpSeconds = 1.5;

    /// <param name="rounds">Turns of each side.</param>
    /// <param name="theirs">Milliseconds of one turn of the reference.</param>
    /// <param name="ours">Milliseconds of one turn of ours.</param>
    public static Comparison Compare(int rounds, Func<double> theirs, Func<double> ours)
    {
        double[] a = new double[rounds], b = new double[rounds], ratios = new double[rounds];
        for (int round = 0; round < rounds; round++)
        {
            (a[round], b[round]) = (theirs(), ours());
            ratios[round] = b[round] / a[round];
        }
        return new(Median(a), Median(b), Median(ratios));
    }

    /// <summary>The mean time of a run over one turn, after one run that is not counted.</summary>
    public static double Milliseconds(Action run)
    {
        run();
        long start = Stopwatch.GetTimestamp();
        int runs = 0;
        do
        {
            run();
            runs++;
        }
        while (Stopwatch.GetElapsedTime(start).TotalMilliseconds < MillisecondsATurn);
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds / runs;
    }

    /// <summary>Runs until the just-in-time compiler has settled.</summary>
    public static void WarmUp(Action run)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < 4 || Stopwatch.GetElapsedTime(start).TotalSeconds < WarmUpSeconds; i++) run();
    }

    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }
}
