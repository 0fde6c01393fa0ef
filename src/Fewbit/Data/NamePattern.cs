using System.Text.RegularExpressions;

namespace Fewbit.Data;

/// <summary>Names with * for any text and ? for one character: <c>layer1.*</c>.</summary>
internal static class NamePattern
{
    public static bool IsPattern(string text) => text.AsSpan().ContainsAny('*', '?');

    public static bool Matches(string pattern, string name) => Regex.IsMatch(name,
        $"^{Regex.Escape(pattern).Replace("\\*", ".*", StringComparison.Ordinal).Replace("\\?", ".", StringComparison.Ordinal)}\\z",
        RegexOptions.CultureInvariant | RegexOptions.NonBacktracking | RegexOptions.Singleline);
}
