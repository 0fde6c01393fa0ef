using System.Text.Json;
using Spectre.Console;

namespace Fewbit.Cli.Console;

/// <summary>Where a command writes: results to one place, everything that only a watching person needs to the other.</summary>
/// <param name="result">Standard output.</param>
/// <param name="messages">Standard error.</param>
internal sealed class CommandOutput(TextWriter result, TextWriter messages)
{
    // Without a terminal nothing may wrap: lines are for files and other programs.
    private const int EndlessLine = 10_000;

    /// <summary>Whether results go to a person's terminal.</summary>
    public bool IsTerminal { get; init; }

    /// <summary>Whether progress can be drawn in place.</summary>
    public bool IsMessageTerminal { get; init; }

    /// <summary>Whether colours may be used on a terminal.</summary>
    public bool HasColour { get; init; }

    public TextWriter Result => result;

    public TextWriter Messages => messages;

    /// <summary>The output of this process: plain where it is redirected, without colours where NO_COLOR or --no-color ask for it.</summary>
    public static CommandOutput OfProcess(IReadOnlyCollection<string> arguments) => new(System.Console.Out, System.Console.Error)
    {
        IsTerminal = !System.Console.IsOutputRedirected,
        IsMessageTerminal = !System.Console.IsErrorRedirected,
        HasColour = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")) && Environment.GetEnvironmentVariable("TERM") != "dumb" && !arguments.Contains("--no-color"),
    };

    public void Line(string text = "") => result.WriteLine(text);

    /// <summary>Files that are complete, for the message when a command is stopped.</summary>
    public List<string> Written { get; } = [];

    /// <summary>One line for a person that is no result.</summary>
    public void Note(string text) => messages.WriteLine(text);

    /// <summary>Writes an object as indented JSON with camelCase keys.</summary>
    public void Json<T>(T value) => result.WriteLine(JsonSerializer.Serialize(value, JsonOutput.Options));

    /// <summary>Writes columns aligned under their headers. A header that begins with '>' aligns its column right.</summary>
    public void Table(IReadOnlyList<string> headers, IEnumerable<IReadOnlyList<string>> rows)
    {
        Table table = new Table().NoBorder();
        foreach (string header in headers)
        {
            string text = Markup.Escape(header.TrimStart('>'));
            var column = new TableColumn(HasColour && IsTerminal ? $"[bold]{text}[/]" : text) { Padding = new(0, 0, 2, 0), NoWrap = !IsTerminal };
            table.AddColumn(header.StartsWith('>') ? column.RightAligned() : column);
        }
        foreach (IReadOnlyList<string> row in rows) table.AddRow([.. row.Select(cell => new Text(cell))]);
        if (headers.All(header => header.Length == 0)) table.HideHeaders();
        Write(table);
    }

    /// <summary>Writes names and values below each other.</summary>
    public void Fields(params IEnumerable<(string Name, string Value)> fields) => Table(["", ""], fields.Select(field => new[] { field.Name, field.Value }));

    /// <summary>A Spectre console on standard error.</summary>
    public IAnsiConsole MessageConsole() => Console(messages, HasColour, interactive: true);

    private void Write(Table table)
    {
        if (IsTerminal)
        {
            Console(result, HasColour, interactive: true).Write(table);
            return;
        }
        using var text = new StringWriter();
        IAnsiConsole console = Console(text, isColoured: false, interactive: false);
        console.Profile.Width = EndlessLine;
        console.Write(table);
        foreach (string line in text.ToString().TrimEnd().Split('\n')) result.WriteLine(line.TrimEnd());
    }

    private static IAnsiConsole Console(TextWriter writer, bool isColoured, bool interactive) => AnsiConsole.Create(new()
    {
        Out = new AnsiConsoleOutput(writer),
        Ansi = interactive ? AnsiSupport.Detect : AnsiSupport.No,
        ColorSystem = isColoured ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
        Interactive = interactive ? InteractionSupport.Detect : InteractionSupport.No,
    });
}
