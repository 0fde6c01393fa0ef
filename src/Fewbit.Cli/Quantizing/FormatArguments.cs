using System.CommandLine;
using Fewbit.Cli.Console;
using Fewbit.Quantization;

namespace Fewbit.Cli.Quantizing;

internal sealed record FormatSettings
{
    public WeightContainer Container { get; init; }
    public bool IsStrict { get; init; }
}

/// <summary>Options of how formats are held in the file.</summary>
internal sealed class FormatArguments
{
    private readonly Option<string> _container = new("--container")
    {
        Description = "How the file holds weights of fewer than 8 bits: fast, in bytes; or small, in their own bits, which standard nodes take apart on loading.", DefaultValueFactory = _ => "fast", HelpName = "fast|small",
    };

    private readonly Option<bool> _strict = new("--strict") { Description = "Refuse activation formats that no runtime has a kernel for instead of simulating them." };

    public void AddTo(Command command)
    {
        command.Options.Add(_container);
        command.Options.Add(_strict);
    }

    /// <exception cref="UsageException">The container is unknown.</exception>
    public FormatSettings Read(ParseResult parsed) => new() { Container = ContainerOf(parsed.GetValue(_container)!), IsStrict = parsed.GetValue(_strict) };

    private static WeightContainer ContainerOf(string name) => name switch
    {
        "fast" => WeightContainer.Fast,
        "small" => WeightContainer.Small,
        _ => throw new UsageException($"--container is '{name}', expected fast or small"),
    };
}
