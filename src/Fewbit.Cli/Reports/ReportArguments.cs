using System.CommandLine;
using Fewbit.Cli.Console;
using Fewbit.Cli.Quantizing;
using Fewbit.Reports;

namespace Fewbit.Cli.Reports;

/// <summary>The page that a command also writes.</summary>
/// <param name="Path">Its file; null for none.</param>
/// <param name="Command">The command line, as a shell would take it again.</param>
internal sealed record ReportSettings(string? Path = null, string Command = "")
{
    /// <summary>Says before any work that the page could not be written at its end.</summary>
    /// <param name="overwrite">Whether a file that is there may be replaced.</param>
    /// <param name="others">Files that the command reads or writes; null for none.</param>
    /// <exception cref="UsageException">It is one of those.</exception>
    /// <exception cref="IOException">It is there and may not be replaced, or its folder is not there.</exception>
    public void Check(bool overwrite, params IEnumerable<string?> others)
    {
        if (Path is null) return;
        if (others.OfType<string>().FirstOrDefault(other => System.IO.Path.GetFullPath(other) == System.IO.Path.GetFullPath(Path)) is { } same)
            throw new UsageException($"--report is '{Path}', which is the model {same}; name another file");
        TargetFile.CheckWritable(Path, null, overwrite, "--report");
    }

    /// <summary>Writes the page where one was asked for.</summary>
    public void Write(Func<HtmlReport> page, CommandOutput output)
    {
        if (Path is null) return;
        page().Write(Path);
        output.Written.Add(Path);
        output.Note($"report: {Path}");
    }
}

/// <summary>The option that several commands share.</summary>
internal sealed class ReportArguments
{
    private readonly Option<string?> _report = new("--report") { Description = "Also write the result as one HTML page that needs no network: verdict, figures with intervals, error by depth, every layer.", HelpName = "FILE" };

    public void AddTo(Command command) => command.Options.Add(_report);

    public ReportSettings Read(ParseResult parsed) => new(parsed.GetValue(_report), $"fewbit {string.Join(' ', parsed.Tokens.Select(token => Quoted(token.Value)))}");

    /// <summary>A word as POSIX shells read it.</summary>
    internal static string Quoted(string word) =>
        word.Length > 0 && word.All(letter => char.IsAsciiLetterOrDigit(letter) || "-_./:,=%+@^".Contains(letter, StringComparison.Ordinal)) ? word : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
