using System.CommandLine;
using System.Globalization;
using Fewbit.Cli.Commands;
using Fewbit.Cli.Console;
using Fewbit.Evaluation;
using Fewbit.Promises;
using Fewbit.Quantization;

namespace Fewbit.Cli.Quantizing;

/// <summary>What a command line says of a promise; null where it says nothing.</summary>
internal sealed record PromiseSettings
{
    public string? MaxDrop { get; init; }
    public bool Smallest { get; init; }
}

/// <summary>The options of a promise.</summary>
internal sealed class PromiseArguments
{
    private readonly Option<string?> _maxDrop = new("--max-drop") { Description = "Search for a model that loses at most so many percentage points of top-1, shown with 95 % confidence on held-out samples; exit code 1 where none is found.", HelpName = "1%" };
    private readonly Option<bool> _smallest = new("--smallest") { Description = "With --max-drop: the fewest bits that keep the promise, 8, 4 or 2 for the weights of each layer." };

    public void AddTo(Command command)
    {
        command.Options.Add(_maxDrop);
        command.Options.Add(_smallest);
    }

    public PromiseSettings Read(ParseResult parsed) => new() { MaxDrop = parsed.GetValue(_maxDrop), Smallest = parsed.GetValue(_smallest) };

    /// <summary>The library's options but for the first candidate; null where nothing is promised.</summary>
    /// <exception cref="UsageException">A value is wrong, or an option says what the search decides.</exception>
    public static PromiseOptions? Of(QuantizeSettings settings)
    {
        PromiseSettings promise = settings.Promise;
        if (promise.MaxDrop is not { } text)
            return promise.Smallest ? throw new UsageException("--smallest needs to know what may be lost: give --max-drop too, such as --max-drop 1%") : null;
        if (DecidedOption(settings) is { } option) throw new UsageException($"{option} is what --max-drop searches for; leave it out");
        if (settings.Mode.Mode != "static") throw new UsageException($"--max-drop chooses the mode itself, and --mode {settings.Mode.Mode} is given; leave one of them out");
        if (settings.Placement != "deploy") throw new UsageException("--max-drop promises what ONNX Runtime computes, and --placement paper is not that; leave it out");
        if (settings.Recipe is { Followed: not null } or { Plan: not null })
            throw new UsageException("--from-plan and --plan are for runs whose settings are fixed, and --max-drop searches for them; leave them out (--save-recipe states what it chose)");
        if (settings.Metric.Name is { } metric && metric != Metric.Top1.Name) throw new UsageException($"--max-drop promises top-1, or agreement with the float model where that says more, and --metric {metric} is given; leave it out");
        if (promise.Smallest && settings.Weights is not null) throw new UsageException("--weights is what --smallest searches for; leave it out");
        if (promise.Smallest && settings.FirstLast != "8") throw new UsageException("--first-last is what --smallest searches for; leave it out");
        TimeSpan budget = settings.Learning.TimeBudget is { } time ? LearningArguments.ParseTime("--time-budget", time) : new PromiseOptions().TimeBudget;
        return new() { MaxDrop = ParseDrop(text), Smallest = promise.Smallest, TimeBudget = budget, Iterations = LearningArguments.Count(settings.Learning.Iterations, "--iterations"), Seed = unchecked((ulong)settings.Common.Seed) };
    }

    /// <summary>What the first candidate is made from: everything but what the promise uses in its own way.</summary>
    public static QuantizeSettings StartOf(QuantizeSettings settings) => settings.Promise.MaxDrop is null ? settings : settings with
    {
        Learning = settings.Learning with { TimeBudget = null, Iterations = null, Checkpoint = null, CheckpointInterval = null, Resume = false },
        Formats = settings.Promise.Smallest ? settings.Formats with { Container = WeightContainer.Small } : settings.Formats,
    };

    /// <summary>1%, 1 %, 1pp and 1 are one percentage point.</summary>
    private static double ParseDrop(string text)
    {
        string number = text.Trim();
        foreach (string unit in new[] { "%", "pp" })
        {
            if (number.EndsWith(unit, StringComparison.Ordinal)) number = number[..^unit.Length].TrimEnd();
        }
        bool isNumber = double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double points);
        return isNumber && points is > 0 and <= 100 ? points : throw new UsageException($"--max-drop is '{text}', expected percentage points above 0 and at most 100, such as 1%, 0.5 or 1pp");
    }

    private static string? DecidedOption(QuantizeSettings settings) => settings.Learning.Method != "nearest" ? "--method"
        : LearningArguments.FirstGiven(StartOf(settings).Learning) is { } option ? option
        : settings.Transforms.Equalize ? "--equalize" : settings.Transforms.AbsorbBiases ? "--absorb-biases" : settings.Transforms.CorrectBiases ? "--correct-biases" : null;
}
