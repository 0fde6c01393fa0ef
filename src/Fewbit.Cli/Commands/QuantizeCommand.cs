using System.CommandLine;
using Fewbit.Calibration;
using Fewbit.Cli.Console;
using Fewbit.Cli.Judging;
using Fewbit.Cli.Quantizing;
using Fewbit.Cli.Reports;
using Fewbit.Evaluation;
using Fewbit.Formats;
using Fewbit.Promises;
using Fewbit.Quantization;

namespace Fewbit.Cli.Commands;

internal sealed record QuantizeSettings
{
    public required string Model { get; init; }
    public string? Calibration { get; init; }
    public string? Data { get; init; }
    public string? Output { get; init; }
    public bool Overwrite { get; init; }
    public string? Weights { get; init; }
    public string WeightGranularity { get; init; } = "channel";
    public string? Activations { get; init; }
    public string Placement { get; init; } = "deploy";
    public string? Range { get; init; }
    public string? WeightRange { get; init; }
    public string FirstLast { get; init; } = "8";
    public int? Samples { get; init; }
    public LearningSettings Learning { get; init; } = new();
    public ModeSettings Mode { get; init; } = new();
    public TransformSettings Transforms { get; init; } = new();
    public RecipeSettings Recipe { get; init; } = new();
    public PromiseSettings Promise { get; init; } = new();
    public FormatSettings Formats { get; init; } = new();
    public TargetSettings Target { get; init; } = new();
    public string? Exclude { get; init; }
    public string? ExcludeFrom { get; init; }
    public bool QuantizeOutputs { get; init; }
    public bool Force { get; init; }
    public bool Verbose { get; init; }
    public MetricSettings Metric { get; init; } = new();
    public DataSettings Reading { get; init; } = new();
    public ReportSettings Report { get; init; } = new();
    public CommonSettings Common { get; init; } = new();
}

/// <summary>fewbit quantize.</summary>
internal static class QuantizeCommand
{
    public static Command Create(CommonOptions common, CommandOutput output, CancellationToken cancellation)
    {
        var model = new Argument<string>("model") { Description = "Float ONNX model." };
        var calibration = new Option<string?>("--calibration", "-c") { Description = "Data that ranges are estimated on: a folder of pictures, CIFAR-10 batches, CSV, IDX, .npy, .npz, text or token numbers (.bin).", HelpName = "DIR|FILE" };
        var data = new Option<string?>("--data", "-d") { Description = "Data that the result is judged on. Default: a fifth of the calibration data, which is held out.", HelpName = "DIR|FILE" };
        var target = new Option<string?>("--output", "-o") { Description = "File to write. Default: the model's name with .int8 before .onnx.", HelpName = "FILE" };
        var overwrite = new Option<bool>("--overwrite") { Description = "Replace the file if it is there." };
        var weights = new Option<string?>("--weights", "-w") { Description = $"Numbers of the weights: {NumberFormats.Expected}; in blocks int2, uint2, int4, uint4, int8, uint8. Default: the target's, int8; in blocks int4.", HelpName = "FORMAT" };
        var granularity = new Option<string>("--weight-granularity") { Description = "Which weights of a layer share a scale: those of an output channel, the whole tensor, or groups of N neighbouring input channels (runtimes compute these in float).", DefaultValueFactory = _ => "channel", HelpName = "channel|tensor|group:N" };
        var activations = new Option<string?>("--activations", "-a") { Description = "Numbers of the activations, the same formats (fast are uint1 to uint8, int1 to int8), or float: weights only. Default: the target's, uint8.", HelpName = "FORMAT|float" };
        var placement = new Option<string>("--placement") { Description = "Where activations are quantized: deploy, as ONNX Runtime computes in integers, or paper, as papers on learned rounding measure.", DefaultValueFactory = _ => "deploy", HelpName = "deploy|paper" };
        var range = new Option<string?>("--range") { Description = "How activation ranges are chosen: mse, minmax, entropy, percentile[:99.999], moving-average[:0.1], brecq, qdrop. Default: mse, or the method's own.", HelpName = "RULE" };
        var weightRange = new Option<string?>("--weight-range") { Description = "The same for weights. Default: minmax for 8 bits and mse below, or the method's own.", HelpName = "RULE" };
        var firstLast = new Option<string>("--first-last") { Description = "Bits of the first and last layers' weights, and of what the last reads: 8, or same as the others.", DefaultValueFactory = _ => "8", HelpName = "8|same" };
        var samples = new Option<int?>("--samples") { Description = "Samples to calibrate on, drawn with the seed, balanced over classes. Default: 512, or 1024 for a method that learns.", HelpName = "N" };
        var exclude = new Option<string?>("--exclude") { Description = "Names of nodes that stay float.", HelpName = "NAME,..." };
        var excludeFrom = new Option<string?>("--exclude-from") { Description = "Leave float what a report of 'fewbit compare -o' lists.", HelpName = "FILE" };
        var quantizeOutputs = new Option<bool>("--quantize-outputs") { Description = "Quantize the model's outputs too." };
        var force = new Option<bool>("--force") { Description = "Go on although the float model is near chance on the data." };
        var verbose = new Option<bool>("--verbose", "-v") { Description = "List every node: requested, applied, why." };
        var command = new Command("quantize", "Quantizes a model after training, and says what it costs and brings.")
        {
            model, calibration, data, target, overwrite, weights, granularity, activations, placement, range, weightRange, firstLast, samples, exclude, excludeFrom, quantizeOutputs, force, verbose,
        };
        var learning = new LearningArguments();
        learning.AddTo(command);
        var mode = new ModeArguments();
        mode.AddTo(command);
        var transforms = new TransformArguments();
        transforms.AddTo(command);
        var recipe = new RecipeArguments();
        recipe.AddTo(command);
        var metric = new MetricArguments();
        metric.AddTo(command);
        var promise = new PromiseArguments();
        promise.AddTo(command);
        var formats = new FormatArguments();
        formats.AddTo(command);
        var targets = new TargetArguments();
        targets.AddTo(command);
        var reading = new DataOptions();
        reading.AddTo(command);
        var page = new ReportArguments();
        page.AddTo(command);
        command.SetAction(parsed => Run(recipe.Apply(parsed, new()
        {
            Model = parsed.GetRequiredValue(model), Calibration = parsed.GetValue(calibration), Data = parsed.GetValue(data), Output = parsed.GetValue(target),
            Overwrite = parsed.GetValue(overwrite), Weights = parsed.GetValue(weights), WeightGranularity = parsed.GetValue(granularity)!, Activations = parsed.GetValue(activations),
            Placement = parsed.GetValue(placement)!, Range = parsed.GetValue(range), WeightRange = parsed.GetValue(weightRange), FirstLast = parsed.GetValue(firstLast)!,
            Learning = learning.Read(parsed), Mode = mode.Read(parsed), Transforms = transforms.Read(parsed), Formats = formats.Read(parsed), Promise = promise.Read(parsed), Target = targets.Read(parsed),
            Samples = parsed.GetValue(samples), Exclude = parsed.GetValue(exclude), ExcludeFrom = parsed.GetValue(excludeFrom), QuantizeOutputs = parsed.GetValue(quantizeOutputs),
            Force = parsed.GetValue(force), Verbose = parsed.GetValue(verbose), Metric = metric.Read(parsed), Reading = reading.Read(parsed), Report = page.Read(parsed), Common = common.Read(parsed),
        }), output, cancellation));
        HelpWithExamples.SetExamples(command,
            "fewbit quantize model.onnx --calibration pictures/",
            "fewbit quantize model.onnx --calibration pictures/ --max-drop 1%",
            "fewbit quantize model.onnx --calibration pictures/ --max-drop 1% --smallest --time-budget 30m",
            "fewbit quantize model.onnx --calibration train/ --data val/ --labels classes.txt --preprocess imagenet",
            "fewbit quantize model.onnx -c calibration.npz --range mse --exclude conv1,fc -o small.onnx --overwrite",
            "fewbit quantize language.onnx --mode weight-only --weights int4 --block-size 32 --input-shape tokens=1,64",
            "fewbit quantize model.onnx --recipe recipe.yaml --plan plan.json -o small.onnx",
            "fewbit quantize model.onnx -c train/ --method qdrop --weights uint2 --activations uint4 --iterations 1000 -o small.onnx",
            "fewbit quantize model.onnx -c train/ --report report.html");
        return command;
    }

    public static int Run(QuantizeSettings settings, CommandOutput output, CancellationToken cancellation = default)
    {
        PromiseOptions? promise = PromiseArguments.Of(settings);
        if ((promise is not null && settings.Calibration is null ? PromiseWithoutData.Choose(settings, promise) : ModeArguments.OtherThanStatic(settings)) is { } mode)
        {
            ModeReport made = new ModeJob(settings, mode, output, cancellation).Run();
            settings.Report.Write(() => QuantizePage.Of(made, settings), output);
            if (settings.Common.Json) output.Json(made);
            else made.Write(output, settings.Verbose);
            return CommandLine.Success;
        }
        QuantizeReport report = new QuantizeJob(settings, Options(PromiseArguments.StartOf(settings)), promise, output, cancellation).Run();
        settings.Report.Write(() => QuantizePage.Of(report, settings), output);
        if (settings.Common.Json) output.Json(report);
        else report.Write(output, settings.Verbose);
        return report.Promise?.ExitCode ?? CommandLine.Success;
    }

    /// <summary>The library's options; a value that no option takes is wrong usage.</summary>
    private static QuantizationOptions Options(QuantizeSettings settings)
    {
        if (settings.Samples < 1) throw new UsageException($"--samples is {settings.Samples}, expected at least 1");
        RoundingMethod method = LearningArguments.MethodOf(settings.Learning);
        bool keepsEdges = OneOf("--first-last", settings.FirstLast, "8", "same") == "8";
        bool isPaper = OneOf("--placement", settings.Placement, "deploy", "paper") == "paper", isFloat = settings.Activations == "float";
        if (isFloat && settings.Range is not null) throw new UsageException("--range is for activations, and --activations float leaves them as they are; leave --range out (--weight-range is for weights)");
        if (settings.QuantizeOutputs && (isPaper || isFloat))
            throw new UsageException($"--quantize-outputs does not go with {(isFloat ? "--activations float" : "--placement paper")}, where outputs stay float; leave it out");
        try
        {
            var options = new QuantizationOptions
            {
                Target = TargetArguments.TargetOf(settings.Target),
                Runtime = TargetArguments.RuntimeOf(settings.Target),
                WeightGranularity = WeightGranularity.Parse(settings.WeightGranularity),
                Container = settings.Formats.Container,
                Strict = settings.Formats.IsStrict,
                Transforms = TransformArguments.Create(settings.Transforms),
                Placement = isPaper ? QuantizerPlacement.Paper : QuantizerPlacement.Deploy,
                Method = method,
                Learning = LearningArguments.Create(settings.Learning, settings.Common.Seed, checkpoint: null),
                ActivationRange = settings.Range is { } rule ? RangeRule.Parse(rule) : null,
                WeightRange = settings.WeightRange is { } weightRule ? RangeRule.Parse(weightRule) : null,
                KeepEdgesAt8Bits = keepsEdges,
                KeepLastInputAt8Bits = keepsEdges ? null : false,
                KeepFirstOutputAt8Bits = keepsEdges ? null : false,
                Exclude = [.. Excluded(settings)],
                QuantizeOutputs = settings.QuantizeOutputs,
            };
            // What is not named is the target's.
            if (settings.Weights is { } weights) options = options with { Weights = NumberFormats.Parse(weights) };
            if (settings.Activations is { } activations) options = options with { Activations = isFloat ? null : NumberFormats.Parse(activations) };
            options = RecipeArguments.Complete(settings.Recipe, options);
            options.Resolve();
            return options;
        }
        catch (ArgumentException problem)
        {
            throw new UsageException(CommandLine.WithoutParameter(problem));
        }
    }

    private static string OneOf(string option, string value, params string[] known) =>
        known.Contains(value) ? value : throw new UsageException($"{option} is '{value}', expected {string.Join(" or ", known)}");

    internal static IEnumerable<string> Excluded(QuantizeSettings settings)
    {
        IEnumerable<string> named = (settings.Exclude?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? []).Union(settings.Recipe.Exclude);
        if (settings.ExcludeFrom is not { } path) return named;
        try
        {
            return named.Concat(ComparisonReport.FromJson(File.ReadAllText(path)).Exclude).Distinct();
        }
        catch (InvalidDataException problem)
        {
            throw new InvalidDataException($"{path}: {problem.Message}", problem);
        }
    }
}
