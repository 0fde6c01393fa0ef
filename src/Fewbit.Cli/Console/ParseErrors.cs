using System.CommandLine;
using System.CommandLine.Parsing;
using Fewbit.Data;

namespace Fewbit.Cli.Console;

/// <summary>Says in one line what is wrong with a command line and what was likely meant.</summary>
internal static class ParseErrors
{
    /// <returns>Null where nothing is wrong.</returns>
    public static string? Describe(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        string path = PathOf(parsed.CommandResult);
        if ((UnknownOption(parsed) ?? (parsed.UnmatchedTokens is [var first, ..] ? first : null)) is { } token)
        {
            bool isOption = token.StartsWith('-');
            IEnumerable<string> known = isOption ? Options(parsed.CommandResult) : command.Subcommands.Select(sub => sub.Name);
            string what = isOption ? $"option '{token}'" : command.Subcommands.Count > 0 ? $"command '{token}'" : $"argument '{token}'";
            string suggestion = Closest.Suggestion(token.Split('=')[0], known);
            return $"'{path}' has no {what}{(suggestion.Length > 0 ? suggestion : ";")} '{path} --help' lists what there is";
        }
        if (parsed.Errors.Count == 0) return null;
        string message = string.Join(" ", parsed.Errors[0].Message.Split('\n', StringSplitOptions.TrimEntries));
        return command.Subcommands.Count > 0 ? $"no command is given, expected one of {string.Join(", ", command.Subcommands.Select(sub => sub.Name))}; '{path} --help' explains them" : $"{message.TrimEnd('.')}; '{path} --help' explains the options";
    }

    /// <summary>The parser takes an option that it does not know for the value of an argument.</summary>
    private static string? UnknownOption(ParseResult parsed) => parsed.Tokens.TakeWhile(token => token.Type != TokenType.DoubleDash)
        .FirstOrDefault(token => token.Type == TokenType.Argument && token.Value is ['-', var second, ..] && !char.IsAsciiDigit(second) && second != '.')?.Value;

    private static IEnumerable<string> Options(CommandResult result)
    {
        for (SymbolResult? at = result; at is not null; at = at.Parent)
        {
            if (at is not CommandResult { Command: var command }) continue;
            foreach (Option option in command.Options) yield return option.Name;
        }
    }

    private static string PathOf(CommandResult result) => result.Parent is CommandResult parent ? $"{PathOf(parent)} {result.Command.Name}" : "fewbit";
}
