using System.Globalization;

namespace Fewbit.Recipes;

/// <summary>Lengths of time as people write them: 90s, 10m, 1.5h.</summary>
internal static class Durations
{
    public static TimeSpan Parse(string text)
    {
        double seconds = text is [.., var unit] ? unit switch { 's' => 1, 'm' => 60, 'h' => 3600, _ => 0 } : 0;
        bool isTime = double.TryParse(text.AsSpan(0, Math.Max(0, text.Length - 1)), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number) && seconds * number is > 0 and < 1e8;
        return isTime ? TimeSpan.FromSeconds(seconds * number) : throw new ArgumentException("expected a number and s, m or h, such as 90s, 10m or 1.5h", nameof(text));
    }

    public static string Text(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{(decimal)time.Ticks / TimeSpan.TicksPerSecond:0.#######}s");
}
