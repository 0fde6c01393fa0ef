using System.CommandLine;
using System.Globalization;
using Fewbit.Cli.Console;
using Fewbit.Quantization;
using Fewbit.Recipes;

namespace Fewbit.Cli.Quantizing;

/// <summary>What a command line says of learned rounding; null where it says nothing.</summary>
internal sealed record LearningSettings
{
    public string Method { get; init; } = "nearest";
    public int? Iterations { get; init; }
    public int? ActivationIterations { get; init; }
    public double? RoundingWeight { get; init; }
    public double? RoundingRate { get; init; }
    public double? ScaleRate { get; init; }
    public double? DropProbability { get; init; }
    public int? Batch { get; init; }
    public string? Objective { get; init; }
    public string? TimeBudget { get; init; }
    public string? Checkpoint { get; init; }
    public string? CheckpointInterval { get; init; }
    public bool Resume { get; init; }
}

/// <summary>The options of learned rounding.</summary>
internal sealed class LearningArguments
{
    private static readonly Dictionary<string, RoundingMethod> s_methods = Enum.GetValues<RoundingMethod>().ToDictionary(method => method.ToString().ToLowerInvariant());

    private static readonly Dictionary<string, LearningObjective> s_objectives = Enum.GetValues<LearningObjective>().ToDictionary(QuantizationRecipeWriter.NameOf);

    private readonly Option<string> _method = new Option<string>("--method") { Description = "How codes are chosen: nearest learns nothing; adaround, brecq and qdrop learn from the calibration data.", DefaultValueFactory = _ => "nearest", HelpName = "NAME" };
    private readonly Option<int?> _iterations = new("--iterations") { Description = "Steps of each layer or block. Default: 10000 for adaround, 20000 for brecq and qdrop.", HelpName = "N" };
    private readonly Option<int?> _activationIterations = new("--activation-iterations") { Description = "Steps of each block for the scales of activations (adaround, brecq). Default: a quarter of --iterations.", HelpName = "N" };
    private readonly Option<double?> _roundingWeight = new("--rounding-weight") { Description = "Weight of the term that drives each rounding to one code. Default: 0.01; papers take 0.1 for MobileNetV2.", HelpName = "W" };
    private readonly Option<double?> _roundingRate = new("--rounding-rate") { Description = "Adam's rate for the roundings. Default: 0.001; few steps decide more at a higher one.", HelpName = "RATE" };
    private readonly Option<double?> _scaleRate = new("--scale-rate") { Description = "Adam's rate for the scales of activations. Default: 0.0004 for adaround and brecq, 0.00004 for qdrop.", HelpName = "RATE" };
    private readonly Option<double?> _dropProbability = new("--drop-probability") { Description = "Share of the activations that stay float in a step (qdrop). Default: 0.5.", HelpName = "P" };
    private readonly Option<int?> _batch = new("--learning-batch") { Description = "Samples of a learning step. Default: 32.", HelpName = "N" };
    private readonly Option<string?> _objective = new("--objective") { Description = "What rounding is learned on: output-error, diagonal-fisher or full-fisher, the latter two for classifiers. Default: output-error.", HelpName = "NAME" };
    private readonly Option<string?> _timeBudget = new("--time-budget") { Description = "Time for all learning: 90s, 10m, 2h. Blocks take fewer steps then. With --max-drop: for the whole search, 10m by default.", HelpName = "TIME" };
    private readonly Option<string?> _checkpoint = new("--checkpoint") { Description = "Keep unfinished learning here each minute and when stopped by Ctrl-C. Default: beside the output.", HelpName = "FILE" };
    private readonly Option<string?> _checkpointInterval = new("--checkpoint-interval") { Description = "Time between two writings of the checkpoint: 10s, 5m. Default: 1m.", HelpName = "TIME" };
    private readonly Option<bool> _resume = new("--resume") { Description = "Go on from the checkpoint, to the same bytes as without a stop." };

    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { _method, _iterations, _activationIterations, _roundingWeight, _roundingRate, _scaleRate, _dropProbability, _batch, _objective, _timeBudget, _checkpoint, _checkpointInterval, _resume }) command.Options.Add(option);
    }

    public LearningSettings Read(ParseResult parsed) => new()
    {
        Method = parsed.GetValue(_method)!, Iterations = parsed.GetValue(_iterations), ActivationIterations = parsed.GetValue(_activationIterations),
        RoundingWeight = parsed.GetValue(_roundingWeight), RoundingRate = parsed.GetValue(_roundingRate), ScaleRate = parsed.GetValue(_scaleRate),
        DropProbability = parsed.GetValue(_dropProbability), Batch = parsed.GetValue(_batch), Objective = parsed.GetValue(_objective), TimeBudget = parsed.GetValue(_timeBudget), Checkpoint = parsed.GetValue(_checkpoint),
        CheckpointInterval = parsed.GetValue(_checkpointInterval), Resume = parsed.GetValue(_resume),
    };

    /// <summary>The library's method.</summary>
    /// <exception cref="UsageException">There is no such method, or it does not take an option that is given.</exception>
    public static RoundingMethod MethodOf(LearningSettings settings)
    {
        if (!s_methods.TryGetValue(settings.Method, out RoundingMethod method))
            throw new UsageException($"there is no method '{settings.Method}'{Data.Closest.Suggestion(settings.Method, s_methods.Keys)}; there are {string.Join(", ", s_methods.Keys)}");
        if (method == RoundingMethod.Nearest && FirstGiven(settings) is { } option)
            throw new UsageException($"{option} is for a method that learns, and --method nearest learns nothing; give --method adaround, brecq or qdrop, or leave {option} out");
        if (method == RoundingMethod.QDrop && settings.ActivationIterations is not null)
            throw new UsageException("--activation-iterations is for adaround and brecq; qdrop learns the scales of activations together with the weights: leave it out");
        if (method != RoundingMethod.QDrop && settings.DropProbability is not null)
            throw new UsageException($"--drop-probability is for qdrop; {settings.Method} learns on whatever is quantized: leave it out");
        return method;
    }

    /// <summary>The library's settings.</summary>
    /// <param name="settings">What the command line says.</param>
    /// <param name="seed">Seed of every draw.</param>
    /// <param name="checkpoint">The file of unfinished work.</param>
    public static LearningOptions Create(LearningSettings settings, long seed, string? checkpoint) => new()
    {
        Iterations = Count(settings.Iterations, "--iterations"), ActivationIterations = Count(settings.ActivationIterations, "--activation-iterations"),
        RoundingWeight = Number(settings.RoundingWeight, 1e6, "--rounding-weight"), RoundingRate = Number(settings.RoundingRate, 1, "--rounding-rate"),
        ScaleRate = Number(settings.ScaleRate, 1, "--scale-rate"), DropProbability = Number(settings.DropProbability, 1, "--drop-probability"),
        BatchSize = settings.Batch is null or (>= 1 and <= 65_536) ? settings.Batch : throw new UsageException($"--learning-batch is {settings.Batch}, expected 1 to 65,536"),
        Objective = settings.Objective is { } name ? ObjectiveOf(name) : null,
        Seed = unchecked((ulong)seed), TimeBudget = settings.TimeBudget is { } text ? ParseTime("--time-budget", text) : null, Checkpoint = checkpoint,
        CheckpointInterval = ParseTime("--checkpoint-interval", settings.CheckpointInterval ?? "1m"),
    };

    private static LearningObjective ObjectiveOf(string name) => s_objectives.TryGetValue(name, out LearningObjective objective) ? objective
        : throw new UsageException($"--objective is '{name}', expected {string.Join(", ", s_objectives.Keys)}{Data.Closest.Suggestion(name, s_objectives.Keys)}");

    internal static string? FirstGiven(LearningSettings settings)
    {
        (object? Value, string Option)[] given =
        [
            (settings.Iterations, "--iterations"), (settings.ActivationIterations, "--activation-iterations"), (settings.RoundingWeight, "--rounding-weight"), (settings.RoundingRate, "--rounding-rate"),
            (settings.ScaleRate, "--scale-rate"), (settings.DropProbability, "--drop-probability"), (settings.Batch, "--learning-batch"), (settings.Objective, "--objective"), (settings.TimeBudget, "--time-budget"),
            (settings.Checkpoint, "--checkpoint"), (settings.CheckpointInterval, "--checkpoint-interval"), (settings.Resume ? "" : null, "--resume"),
        ];
        return given.FirstOrDefault(pair => pair.Value is not null).Option;
    }

    private static double? Number(double? value, double most, string option) =>
        value is null || (value >= 0 && value <= most) ? value : throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"{option} is {value}, expected 0 to {most:N0}"));

    internal static int? Count(int? value, string option) =>
        value is null or (>= 0 and <= 10_000_000) ? value : throw new UsageException($"{option} is {value}, expected 0 to 10,000,000");

    /// <summary>90s, 10m, 2h.</summary>
    internal static TimeSpan ParseTime(string option, string text)
    {
        try
        {
            return Durations.Parse(text);
        }
        catch (ArgumentException problem)
        {
            throw new UsageException($"{option} is '{text}', {CommandLine.WithoutParameter(problem)}");
        }
    }
}
