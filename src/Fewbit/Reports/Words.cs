using System.Globalization;

namespace Fewbit.Reports;

/// <summary>Numbers as people read them, the same on every machine.</summary>
internal static class Words
{
    /// <summary>1234567 as 1.23 MB (powers of 1000, as file managers and downloads count).</summary>
    public static string Bytes(double count) => Scaled(count, ["bytes", "kB", "MB", "GB", "TB"]);

    /// <summary>40812544 as 40.8 M.</summary>
    public static string Count(double count) => Scaled(count, ["", "k", "M", "G", "T"]);

    /// <summary>0.00153 seconds as 1.53 ms.</summary>
    public static string Time(TimeSpan time) => time.TotalSeconds switch
    {
        < 1e-3 => $"{Digits(time.TotalMicroseconds)} µs",
        < 1 => $"{Digits(time.TotalMilliseconds)} ms",
        < 100 => $"{Digits(time.TotalSeconds)} s",
        _ => string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalMinutes} min {time.Seconds} s"),
    };

    /// <summary>0.9123 as 91.2 %.</summary>
    public static string Percent(double share, int decimals = 1) => double.IsNaN(share) ? "-" : string.Create(CultureInfo.InvariantCulture, $"{(100 * share).ToString($"F{decimals}", CultureInfo.InvariantCulture)} %");

    /// <summary>0.0123 as +1.2; in percentage points.</summary>
    public static string Points(double share, int decimals = 1) => (100 * share).ToString($"+0.{new string('0', decimals)};-0.{new string('0', decimals)};0.{new string('0', decimals)}", CultureInfo.InvariantCulture);

    /// <summary>1234567 as 1,234,567.</summary>
    public static string Whole(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>Three significant digits.</summary>
    public static string Digits(double number) => number switch
    {
        _ when !double.IsFinite(number) => double.IsPositiveInfinity(number) ? "inf" : "-",
        >= 100 or <= -100 => number.ToString("F0", CultureInfo.InvariantCulture),
        >= 10 or <= -10 => number.ToString("F1", CultureInfo.InvariantCulture),
        _ => number.ToString("F2", CultureInfo.InvariantCulture),
    };

    /// <summary>"1 node", "2 nodes".</summary>
    public static string Plural(long count, string one, string? many = null) => $"{Whole(count)} {(count == 1 ? one : many ?? one + "s")}";

    private static string Scaled(double count, string[] units)
    {
        int unit = 0;
        for (; Math.Abs(count) >= 999.5 && unit < units.Length - 1; unit++) count /= 1000;
        string number = unit == 0 ? count.ToString("F0", CultureInfo.InvariantCulture) : Digits(count);
        return $"{number} {units[unit]}".TrimEnd();
    }
}
