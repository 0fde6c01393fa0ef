namespace Fewbit.Data;

/// <summary>Finds the known name that a misspelt one most likely means.</summary>
internal static class Closest
{
    /// <summary>"; did you mean 'x'?", or nothing where no candidate is near.</summary>
    public static string Suggestion(string name, IEnumerable<string> candidates)
    {
        string? best = candidates.Where(candidate => candidate.Length < 200).MinBy(candidate => Distance(name, candidate));
        return best is not null && name.Length < 200 && Distance(name, best) <= Math.Max(2, name.Length / 3) ? $"; did you mean '{best}'?" : "";
    }

    /// <summary>"; the closest are 'x', 'y' and 'z'", the nearest first; nothing without candidates.</summary>
    public static string Nearest(string name, IEnumerable<string> candidates)
    {
        string[] nearest = [.. candidates.Where(candidate => candidate.Length is > 0 and < 200).Distinct().OrderBy(candidate => Distance(name, candidate)).ThenBy(candidate => candidate, StringComparer.Ordinal).Take(3).Select(candidate => $"'{Printable.Of(candidate)}'")];
        return nearest switch
        {
            [] => "",
            [var only] => $"; the closest is {only}",
            [.. var some, var last] => $"; the closest are {string.Join(", ", some)} and {last}",
        };
    }

    /// <summary>Letters to insert, delete or replace, whatever their case.</summary>
    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int replaced = diagonal + (char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, Math.Min(row[j], row[j - 1]) + 1);
            }
        }
        return row[^1];
    }
}
