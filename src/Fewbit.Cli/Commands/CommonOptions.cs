using System.CommandLine;
using Fewbit.OnnxRuntime;
using Fewbit.Tensors.Threading;

namespace Fewbit.Cli.Commands;

/// <summary>What every command takes.</summary>
/// <param name="Json">Whether the result is written as JSON.</param>
/// <param name="Seed">Seed of every draw.</param>
/// <param name="Threads">Threads that compute; null for one a processor.</param>
/// <param name="OnnxRuntime">Where ONNX Runtime lies; null to search.</param>
internal sealed record CommonSettings(bool Json = false, long Seed = 0, int? Threads = null, string? OnnxRuntime = null)
{
    /// <summary>Looks for ONNX Runtime where the settings and the environment say.</summary>
    public LibrarySearch FindOnnxRuntime() => OnnxRuntimeLibrary.Find(OnnxRuntime);

    /// <summary>ONNX Runtime, or null where none is found. A library that the user named must load.</summary>
    /// <exception cref="OnnxRuntimeException">A library was found and cannot be used.</exception>
    public OnnxRuntimeLibrary? OpenOnnxRuntime()
    {
        LibrarySearch search = FindOnnxRuntime();
        return search.Path is null && OnnxRuntime is null && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("FEWBIT_ORT")) ? null : OnnxRuntimeLibrary.Open(search);
    }
}

/// <summary>The options that every command takes.</summary>
internal sealed class CommonOptions
{
    private readonly Option<bool> _json = new("--json") { Description = "Write the result as JSON.", Recursive = true };
    private readonly Option<long> _seed = new("--seed") { Description = "Seed of every draw.", Recursive = true, HelpName = "N" };
    private readonly Option<int?> _threads = new("--threads") { Description = "Threads that compute. Default: one a processor.", Recursive = true, HelpName = "N" };
    private readonly Option<string?> _onnxRuntime = new("--ort") { Description = "ONNX Runtime's library or its folder. Default: FEWBIT_ORT, beside the tool, node_modules, NuGet cache.", Recursive = true, HelpName = "PATH" };
    private readonly Option<bool> _noColour = new("--no-color") { Description = "No colours; NO_COLOR does the same.", Recursive = true };

    public CommonOptions() => _threads.Validators.Add(result =>
    {
        if (result.Tokens is [var token] && (!int.TryParse(token.Value, out int count) || count is < 1 or > 1024)) result.AddError($"--threads is '{token.Value}', expected 1 to 1024");
    });

    public void AddTo(Command root)
    {
        foreach (Option option in new Option[] { _json, _seed, _threads, _onnxRuntime, _noColour }) root.Options.Add(option);
    }

    /// <summary>The seed as it was given; null where it was not.</summary>
    public string? SeedOf(ParseResult parsed) => parsed.GetResult(_seed) is { Implicit: false, Tokens: [var token] } ? token.Value : null;

    public CommonSettings Read(ParseResult parsed)
    {
        var settings = new CommonSettings(parsed.GetValue(_json), parsed.GetValue(_seed), parsed.GetValue(_threads), parsed.GetValue(_onnxRuntime));
        if (settings.Threads is { } threads) Workers.ThreadCount = threads;
        return settings;
    }
}
