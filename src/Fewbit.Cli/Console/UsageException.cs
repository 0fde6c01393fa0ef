namespace Fewbit.Cli.Console;

/// <summary>The command was asked in a way that cannot be meant: exit code 2.</summary>
internal sealed class UsageException(string message) : Exception(message);
