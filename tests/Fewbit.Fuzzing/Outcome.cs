namespace Fewbit.Fuzzing;

/// <summary>How a case ended.</summary>
/// <param name="Kind">What a table counts: "ran", "refused when read", or a finding.</param>
/// <param name="IsFinding">True where the toolkit did not do what it promises.</param>
/// <param name="Detail">The message, and for a finding where it comes from.</param>
internal sealed record Outcome(string Kind, bool IsFinding, string Detail)
{
    private const int LongestMessage = 1500;

    public static Outcome Accepted(string kind) => new(kind, false, "");

    /// <summary>An error: refused where it is the toolkit's own and clear, else a finding.</summary>
    /// <param name="error">What was thrown.</param>
    /// <param name="stage">What the toolkit was doing: "read", "prepared", "run".</param>
    /// <param name="source">What the message must begin with: the file.</param>
    public static Outcome Of(Exception error, string stage, string source)
    {
        string? wrong = error switch
        {
            InvalidDataException => Unclear(error.Message, source),
            _ => error.GetType().Name,
        };
        if (wrong is null) return new($"refused when {stage}{(error.Message.Contains("the limit", StringComparison.Ordinal) ? " (limit)" : "")}", false, error.Message);
        return new($"finding: {wrong} when {stage}", true, $"{wrong} at {Place(error)}: {OneLine(error.Message)}");
    }

    private static string? Unclear(string message, string source)
    {
        if (!message.StartsWith(source, StringComparison.Ordinal)) return "message without the file";
        if (message.Length > LongestMessage) return "message too long";
        if (message.AsSpan(source.Length).IndexOfAny('\n', '\r') >= 0) return "message of several lines";
        if (message.Contains("Bug in", StringComparison.Ordinal)) return "broken invariant";
        return null;
    }

    /// <summary>The innermost methods of ours.</summary>
    private static string Place(Exception error)
    {
        string[] frames = (error.StackTrace ?? "").Split('\n').Select(line => line.Trim()).ToArray();
        string[] own = [.. frames.Where(line => line.StartsWith("at Fewbit.", StringComparison.Ordinal) && !line.StartsWith("at Fewbit.Fuzzing", StringComparison.Ordinal)).Take(3).Select(line => line[3..].Split('(')[0])];
        return own.Length == 0 ? frames.FirstOrDefault() ?? "" : string.Join(" < ", own);
    }

    public static string OneLine(string text) => (text.Length > LongestMessage ? text[..LongestMessage] : text).ReplaceLineEndings("\\n").Replace('\t', ' ');
}
