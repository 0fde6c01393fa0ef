using System.CommandLine;
using Fewbit.Calibration;
using Fewbit.Cli.Console;
using Fewbit.Cli.Judging;
using Fewbit.Cli.Quantizing;
using Fewbit.Evaluation;
using Fewbit.Formats;
using Fewbit.Quantization;

namespace Fewbit.Cli.Commands;

internal sealed record QuantizeSettings
{
    public required string Model { get; init; }
    public string? Calibration { get; init; }
    public string? Data { get; init; }
    public string? Output { get; init; }
    public bool Overwrite { get; init; }
    public string Weights { get; init; } = "int8";
    public string Activations { get; init; } = "uint8";
    public string Range { get; init; } = "mse";
    public int Samples { get; init; } = 512;
    public string? Exclude { get; init; }
    public string? ExcludeFrom { get; init; }
    public bool QuantizeOutputs { get; init; }
    public bool Force { get; init; }
    public bool Verbose { get; init; }
    public DataSettings Reading { get; init; } = new();
    public CommonSettings Common { get; init; } = new();
}

/// <summary>fewbit quantize.</summary>
internal static class QuantizeCommand
{
    public static Command Create(CommonOptions common, CommandOutput output, CancellationToken cancellation)
    {
        var model = new Argument<string>("model") { Description = "Float ONNX model." };
        var calibration = new Option<string?>("--calibration", "-c") { Description = "Data that ranges are estimated on: a folder of pictures, CIFAR-10 batches, CSV, IDX, .npy or .npz.", HelpName = "DIR|FILE" };
        var data = new Option<string?>("--data", "-d") { Description = "Data that the result is judged on. Default: a fifth of the calibration data, which is held out.", HelpName = "DIR|FILE" };
        var target = new Option<string?>("--output", "-o") { Description = "File to write. Default: the model's name with .int8 before .onnx.", HelpName = "FILE" };
        var overwrite = new Option<bool>("--overwrite") { Description = "Replace the file if it is there." };
        var weights = new Option<string>("--weights", "-w") { Description = "Codes of the weights: int8 to int1, uint7 to uint1.", DefaultValueFactory = _ => "int8", HelpName = "FORMAT" };
        var activations = new Option<string>("--activations", "-a") { Description = "Codes of the activations: uint8 to uint1.", DefaultValueFactory = _ => "uint8", HelpName = "FORMAT" };
        var range = new Option<string>("--range") { Description = "How activation ranges are chosen: mse, minmax, percentile[:99.999], moving-average[:0.1], brecq, qdrop.", DefaultValueFactory = _ => "mse", HelpName = "RULE" };
        var samples = new Option<int>("--samples") { Description = "Samples to calibrate on, drawn with the seed, balanced over classes.", DefaultValueFactory = _ => 512, HelpName = "N" };
        var exclude = new Option<string?>("--exclude") { Description = "Names of nodes that stay float.", HelpName = "NAME,..." };
        var excludeFrom = new Option<string?>("--exclude-from") { Description = "Leave float what a report of 'fewbit compare -o' lists.", HelpName = "FILE" };
        var quantizeOutputs = new Option<bool>("--quantize-outputs") { Description = "Quantize the model's outputs too." };
        var force = new Option<bool>("--force") { Description = "Go on although the float model is near chance on the data." };
        var verbose = new Option<bool>("--verbose", "-v") { Description = "List every node: requested, applied, why." };
        var command = new Command("quantize", "Quantizes a model after training, and says what it costs and brings.")
        {
            model, calibration, data, target, overwrite, weights, activations, range, samples, exclude, excludeFrom, quantizeOutputs, force, verbose,
        };
        var reading = new DataOptions();
        reading.AddTo(command);
        command.SetAction(parsed => Run(new()
        {
            Model = parsed.GetRequiredValue(model), Calibration = parsed.GetValue(calibration), Data = parsed.GetValue(data), Output = parsed.GetValue(target),
            Overwrite = parsed.GetValue(overwrite), Weights = parsed.GetValue(weights)!, Activations = parsed.GetValue(activations)!, Range = parsed.GetValue(range)!,
            Samples = parsed.GetValue(samples), Exclude = parsed.GetValue(exclude), ExcludeFrom = parsed.GetValue(excludeFrom), QuantizeOutputs = parsed.GetValue(quantizeOutputs),
            Force = parsed.GetValue(force), Verbose = parsed.GetValue(verbose), Reading = reading.Read(parsed), Common = common.Read(parsed),
        }, output, cancellation));
        HelpWithExamples.SetExamples(command,
            "fewbit quantize model.onnx --calibration pictures/",
            "fewbit quantize model.onnx --calibration train/ --data val/ --labels classes.txt --preprocess imagenet",
            "fewbit quantize model.onnx -c calibration.npz --range mse --exclude conv1,fc -o small.onnx --overwrite");
        return command;
    }

    public static int Run(QuantizeSettings settings, CommandOutput output, CancellationToken cancellation = default)
    {
        QuantizeReport report = new QuantizeJob(settings, Options(settings), output, cancellation).Run();
        if (settings.Common.Json) output.Json(report);
        else report.Write(output, settings.Verbose);
        return CommandLine.Success;
    }

    /// <summary>The library's options; a value that no option takes is wrong usage.</summary>
    private static QuantizationOptions Options(QuantizeSettings settings)
    {
        if (settings.Samples < 1) throw new UsageException($"--samples is {settings.Samples}, expected at least 1");
        try
        {
            return new()
            {
                Weights = IntegerFormat.Parse(settings.Weights),
                Activations = IntegerFormat.Parse(settings.Activations),
                ActivationRange = RangeRule.Parse(settings.Range),
                Exclude = [.. Excluded(settings)],
                QuantizeOutputs = settings.QuantizeOutputs,
            };
        }
        catch (ArgumentException problem)
        {
            throw new UsageException(CommandLine.WithoutParameter(problem));
        }
    }

    private static IEnumerable<string> Excluded(QuantizeSettings settings)
    {
        IEnumerable<string> named = settings.Exclude?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
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
