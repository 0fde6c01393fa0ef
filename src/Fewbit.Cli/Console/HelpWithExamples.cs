using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Runtime.CompilerServices;

namespace Fewbit.Cli.Console;

/// <summary>The standard help, with the command's examples below it.</summary>
internal sealed class HelpWithExamples(HelpAction standard) : SynchronousCommandLineAction
{
    private static readonly ConditionalWeakTable<Command, string[]> s_examples = [];

    public override bool ClearsParseErrors => true;

    public static void SetExamples(Command command, params string[] examples) => s_examples.AddOrUpdate(command, examples);

    public override int Invoke(ParseResult parseResult)
    {
        int code = standard.Invoke(parseResult);
        if (!s_examples.TryGetValue(parseResult.CommandResult.Command, out string[]? examples)) return code;
        TextWriter output = parseResult.InvocationConfiguration.Output;
        output.WriteLine("Examples:");
        foreach (string example in examples) output.WriteLine($"  {example}");
        output.WriteLine();
        return code;
    }
}
