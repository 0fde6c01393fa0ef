namespace Fewbit.Data;

/// <summary>Text of an untrusted file as a message shows it: one line, of a bounded length.</summary>
internal static class Printable
{
    public static string Of(string text, int longest = 120) =>
        string.Concat(text.Take(longest).Select(c => char.IsControl(c) ? '?' : c)) + (text.Length > longest ? "..." : "");
}
