using System.CommandLine;
using System.CommandLine.Help;
using Fewbit.Cli.Commands;
using Fewbit.Cli.Console;
using Fewbit.OnnxRuntime;

namespace Fewbit.Cli;

/// <summary>The fewbit command: parses, runs, and turns every error into one line and an exit code.</summary>
internal static class CommandLine
{
    public const int Success = 0, Failed = 1, Usage = 2;

    /// <summary>Runs one command line.</summary>
    /// <returns>0, 1 where the command failed, 2 where it was not understood.</returns>
    public static int Run(IReadOnlyList<string> arguments, CommandOutput output, CancellationToken cancellation = default)
    {
        RootCommand root = CreateRoot(output, cancellation);
        ParseResult parsed = root.Parse(arguments, new() { ResponseFileTokenReplacer = null });
        if (parsed.Action is not { ClearsParseErrors: true } && ParseErrors.Describe(parsed) is { } mistake)
        {
            output.Note($"error: {mistake}");
            return Usage;
        }
        try
        {
            return parsed.Invoke(new() { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null, Output = output.Result, Error = output.Messages });
        }
        catch (OperationCanceledException)
        {
            output.Note($"error: cancelled; {(output.Written.Count == 0 ? "nothing was written" : $"complete: {string.Join(", ", output.Written)}")}");
            return Failed;
        }
        catch (UsageException problem)
        {
            output.Note($"error: {OneLine(problem.Message)}");
            return Usage;
        }
        catch (Exception problem) when (IsForUsers(problem))
        {
            output.Note($"error: {OneLine(problem is ArgumentException argument ? WithoutParameter(argument) : problem.Message)}");
            return Failed;
        }
        catch (Exception problem)
        {
            output.Note($"error: a fault of fewbit itself; please report it with these lines:{Environment.NewLine}{problem}");
            return Failed;
        }
    }

    internal static RootCommand CreateRoot(CommandOutput output, CancellationToken cancellation)
    {
        var root = new RootCommand("Makes neural networks small and fast: an ONNX model in, a quantized ONNX model out, and the truth about it.");
        root.HelpName = "fewbit";
        var common = new CommonOptions();
        common.AddTo(root);
        root.Subcommands.Add(NewCommand.Create(common, output));
        root.Subcommands.Add(InspectCommand.Create(common, output));
        root.Subcommands.Add(TrainCommand.Create(common, output, cancellation));
        root.Subcommands.Add(QuantizeCommand.Create(common, output, cancellation));
        root.Subcommands.Add(EvaluateCommand.Create(common, output, cancellation));
        root.Subcommands.Add(CompareCommand.Create(common, output, cancellation));
        root.Subcommands.Add(BenchmarkCommand.Create(common, output, cancellation));
        root.Subcommands.Add(DemoCommand.Create(common, output, cancellation));
        root.Subcommands.Add(DoctorCommand.Create(common, output));
        foreach (Option option in root.Options)
        {
            if (option is HelpOption { Action: HelpAction help }) option.Action = new HelpWithExamples(help);
        }
        return root;
    }

    /// <summary>Errors about what was given, whose message is made for the user; anything else is a fault of ours and keeps its stack trace.</summary>
    private static bool IsForUsers(Exception problem) => problem is InvalidDataException or IOException or ArgumentException or UnauthorizedAccessException
        or NotSupportedException or PlatformNotSupportedException or OnnxRuntimeException or OutOfMemoryException
        or InvalidOperationException { Message: [not 'B', ..] or ['B', not 'u', ..] };

    internal static string WithoutParameter(ArgumentException problem) =>
        problem.ParamName is { } name ? problem.Message.Replace($" (Parameter '{name}')", "", StringComparison.Ordinal) : problem.Message;

    private static string OneLine(string text) => string.Join(" ", text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
}
