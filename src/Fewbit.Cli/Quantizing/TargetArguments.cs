using System.CommandLine;
using Fewbit.Cli.Console;
using Fewbit.Targets;

namespace Fewbit.Cli.Quantizing;

/// <summary>What a command line says of where the model is to run; nulls where it says nothing.</summary>
internal sealed record TargetSettings
{
    public string? Target { get; init; }
    public string? Runtime { get; init; }
}

/// <summary>The options of targets.</summary>
internal sealed class TargetArguments
{
    private readonly Option<string?> _target = new("--target") { Description = "What the model is for: its codes, zero points, biases and pairs. Default: what ONNX Runtime runs on any x64 CPU.", HelpName = string.Join('|', ExportTarget.All.Select(target => target.Name)) };
    private readonly Option<string?> _runtime = new("--runtime") { Description = $"The oldest ONNX Runtime that must load the model, {RuntimeVersion.All[0]} to {RuntimeVersion.Newest}.", HelpName = "ort-1.N" };

    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { _target, _runtime }) command.Options.Add(option);
    }

    public TargetSettings Read(ParseResult parsed) => new() { Target = parsed.GetValue(_target), Runtime = parsed.GetValue(_runtime) };

    /// <summary>The library's target; null where none is named.</summary>
    /// <exception cref="UsageException">There is no such target.</exception>
    public static ExportTarget? TargetOf(TargetSettings settings) => settings.Target is { } name ? Parsed(() => ExportTarget.Parse(name)) : null;

    /// <summary>The release of ONNX Runtime; null where none is named.</summary>
    /// <exception cref="UsageException">There is no such release, or the target is none of ONNX Runtime.</exception>
    public static RuntimeVersion? RuntimeOf(TargetSettings settings)
    {
        if (settings.Runtime is not { } name) return null;
        RuntimeVersion runtime = Parsed(() => RuntimeVersion.Parse(name));
        return TargetOf(settings) is not { IsOnnxRuntime: false } other ? runtime : throw new UsageException($"--runtime {name} is a release of ONNX Runtime, and --target {other} is none of its targets; leave it out");
    }

    private static T Parsed<T>(Func<T> parse)
    {
        try
        {
            return parse();
        }
        catch (ArgumentException problem)
        {
            throw new UsageException(CommandLine.WithoutParameter(problem));
        }
    }
}
