using Fewbit.Cli.Console;

namespace Fewbit.Cli.Tests;

/// <summary>Runs the command in this process and keeps what it wrote.</summary>
internal sealed record RunResult(int Code, string Output, string Messages)
{
    /// <summary>Runs fewbit with plain output.</summary>
    public static RunResult Of(params string[] arguments) => Of(CancellationToken.None, arguments);

    public static RunResult Of(CancellationToken cancellation, params string[] arguments)
    {
        using StringWriter output = new() { NewLine = "\n" }, messages = new() { NewLine = "\n" };
        int code = CommandLine.Run(arguments, new CommandOutput(output, messages), cancellation);
        return new(code, output.ToString().ReplaceLineEndings("\n"), messages.ToString().ReplaceLineEndings("\n"));
    }

    /// <summary>The one line of an error; fails where there are more lines, or any output.</summary>
    public string ErrorLine()
    {
        Assert.Empty(Output);
        Assert.EndsWith("\n", Messages, StringComparison.Ordinal);
        string line = Messages[..^1];
        Assert.DoesNotContain('\n', line);
        Assert.StartsWith("error: ", line, StringComparison.Ordinal);
        return line["error: ".Length..];
    }
}
