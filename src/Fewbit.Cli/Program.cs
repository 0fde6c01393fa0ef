using Fewbit.Cli.Console;

namespace Fewbit.Cli;

internal static class Program
{
    private static int Main(string[] arguments)
    {
        using var interrupt = new Interrupt();
        return CommandLine.Run(arguments, CommandOutput.OfProcess(arguments), interrupt.Token);
    }
}
