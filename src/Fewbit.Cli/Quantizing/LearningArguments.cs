using System.CommandLine;
using System.Globalization;
using Fewbit.Cli.Console;
using Fewbit.Quantization;

namespace Fewbit.Cli.Quantizing;

/// <summary>What a command line says of learned rounding; null where it says nothing.</summary>
internal sealed record LearningSettings
{
    public string Method { get; init; } = "nearest";
    public int? Iterations { get; init; }
    public int? ActivationIterations { get; init; }
    public double? RoundingWeight { get; init; }
    public string? TimeBudget { get; init; }
    public string? Checkpoint { get; init; }
    public bool Resume { get; init; }
}

/// <summary>The options of learned rounding.</summary>
internal sealed class LearningArguments
{
    private static readonly Dictionary<string, RoundingMethod> s_methods = Enum.GetValues<RoundingMethod>().ToDictionary(method => method.ToString().ToLowerInvariant());

    private readonly Option<string> _method = new Option<string>("--method") { Description = "How codes are chosen: nearest learns nothing; adaround, brecq and qdrop learn from the calibration data.", DefaultValueFactory = _ => "nearest", HelpName = "NAME" };
    private readonly Option<int?> _iterations = new("--iterations") { Description = "Steps of each layer or block. Default: 10000 for adaround, 20000 for brecq and qdrop.", HelpName = "N" };
    private readonly Option<int?> _activationIterations = new("--activation-iterations") { Description = "Steps of each block for the scales of activations (adaround, brecq). Default: a quarter of --iterations.", HelpName = "N" };
    private readonly Option<double?> _roundingWeight = new("--rounding-weight") { Description = "Weight of the term that drives each rounding to one code. Default: 0.01; papers take 0.1 for MobileNetV2.", HelpName = "W" };
    private readonly Option<string?> _timeBudget = new("--time-budget") { Description = "Time for all learning: 90s, 10m, 2h. Blocks take fewer steps then.", HelpName = "TIME" };
    private readonly Option<string?> _checkpoint = new("--checkpoint") { Description = "Keep unfinished learning here each minute and when stopped by Ctrl-C. Default: beside the output.", HelpName = "FILE" };
    private readonly Option<bool> _resume = new("--resume") { Description = "Go on from the checkpoint, to the same bytes as without a stop." };

    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { _method, _iterations, _activationIterations, _roundingWeight, _timeBudget, _checkpoint, _resume }) command.Options.Add(option);
    }

    public LearningSettings Read(ParseResult parsed) => new()
    {
        Method = parsed.GetValue(_method)!, Iterations = parsed.GetValue(_iterations), ActivationIterations = parsed.GetValue(_activationIterations),
        RoundingWeight = parsed.GetValue(_roundingWeight), TimeBudget = parsed.GetValue(_timeBudget), Checkpoint = parsed.GetValue(_checkpoint), Resume = parsed.GetValue(_resume),
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
        return method;
    }

    /// <summary>The library's settings.</summary>
    /// <param name="settings">What the command line says.</param>
    /// <param name="seed">Seed of every draw.</param>
    /// <param name="checkpoint">The file of unfinished work.</param>
    public static LearningOptions Create(LearningSettings settings, long seed, string? checkpoint) => new()
    {
        Iterations = Count(settings.Iterations, "--iterations"), ActivationIterations = Count(settings.ActivationIterations, "--activation-iterations"),
        RoundingWeight = settings.RoundingWeight is null or (>= 0 and <= 1e6) ? settings.RoundingWeight : throw new UsageException(FormattableString.Invariant($"--rounding-weight is {settings.RoundingWeight}, expected 0 to 1,000,000")),
        Seed = unchecked((ulong)seed), TimeBudget = settings.TimeBudget is { } text ? ParseTime(text) : null, Checkpoint = checkpoint,
    };

    private static string? FirstGiven(LearningSettings settings) =>
        settings.Iterations is not null ? "--iterations" : settings.ActivationIterations is not null ? "--activation-iterations" : settings.RoundingWeight is not null ? "--rounding-weight" : settings.TimeBudget is not null ? "--time-budget"
        : settings.Checkpoint is not null ? "--checkpoint" : settings.Resume ? "--resume" : null;

    private static int? Count(int? value, string option) =>
        value is null or (>= 0 and <= 10_000_000) ? value : throw new UsageException($"{option} is {value}, expected 0 to 10,000,000");

    private static TimeSpan ParseTime(string text)
    {
        double seconds = text is [.., var unit] ? unit switch { 's' => 1, 'm' => 60, 'h' => 3600, _ => 0 } : 0;
        bool isTime = double.TryParse(text.AsSpan(0, Math.Max(0, text.Length - 1)), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number) && seconds * number is > 0 and < 1e8;
        return isTime ? TimeSpan.FromSeconds(seconds * number) : throw new UsageException($"--time-budget is '{text}', expected a number and s, m or h, such as 90s, 10m or 1.5h");
    }
}
