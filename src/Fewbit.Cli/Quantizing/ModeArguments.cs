using System.CommandLine;
using Fewbit.Cli.Commands;
using Fewbit.Cli.Console;
using Fewbit.Formats;
using Fewbit.Quantization;

namespace Fewbit.Cli.Quantizing;

/// <summary>What a command line says of the mode; null where it says nothing.</summary>
internal sealed record ModeSettings
{
    public string Mode { get; init; } = "static";
    public int? BlockSize { get; init; }
    public string? Scheme { get; init; }
    public string? Form { get; init; }
    public int? AccuracyLevel { get; init; }
    public string? KeepInFloat { get; init; }
    public IReadOnlyList<string> InputShapes { get; init; } = [];
}

/// <summary>A mode that needs no data.</summary>
/// <param name="Name">As the command line has it.</param>
/// <param name="Suffix">What the file's name gets before .onnx.</param>
/// <param name="Make">The library's work.</param>
/// <param name="Remark">What a person must know of the result; null where nothing.</param>
internal sealed record DatalessMode(string Name, string Suffix, Func<Quantizer, QuantizationResult> Make, string? Remark)
{
    /// <summary>Mode and options as a recipe states them; null where recipes have none.</summary>
    public QuantizationRecipe? Recipe { get; init; }
}

/// <summary>The options of modes.</summary>
internal sealed class ModeArguments
{
    private readonly Option<string> _mode = new("--mode") { Description = "static, integers with calibration data; without data: weight-only, blocks of codes for MatMul and Gemm; dynamic, their inputs quantized while the model runs; float16, half the bytes; float makes a quantized model float again.", DefaultValueFactory = _ => "static", HelpName = "static|weight-only|dynamic|float16|float" };
    private readonly Option<int?> _blockSize = new("--block-size") { Description = "weight-only: weights that share a scale: 16, 32, 64, 128 or 256. Default: 32.", HelpName = "N" };
    private readonly Option<string?> _scheme = new("--scheme") { Description = "weight-only: symmetric, or affine with a zero point for each block. Default: symmetric for int, affine for uint.", HelpName = "symmetric|affine" };
    private readonly Option<string?> _form = new("--form") { Description = "weight-only: qdq, standard ONNX, or matmulnbits, an operator of ONNX Runtime. Default: qdq.", HelpName = "qdq|matmulnbits" };
    private readonly Option<int?> _accuracyLevel = new("--accuracy-level") { Description = "weight-only, matmulnbits: 0, float activations, or 4, the runtime rounds them to 8 bits. Default: 0.", HelpName = "0|4" };
    private readonly Option<string?> _keepInFloat = new("--keep-in-float") { Description = "float16: operators and nodes that stay float32.", HelpName = "NAME,..." };
    private readonly Option<string[]> _inputShape = new("--input-shape") { Description = "Fixes open lengths of an input; an open first one stays the batch.", HelpName = "NAME=1,3,224,224", DefaultValueFactory = _ => [] };

    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { _mode, _blockSize, _scheme, _form, _accuracyLevel, _keepInFloat, _inputShape }) command.Options.Add(option);
    }

    public ModeSettings Read(ParseResult parsed) => new()
    {
        Mode = parsed.GetValue(_mode)!, BlockSize = parsed.GetValue(_blockSize), Scheme = parsed.GetValue(_scheme), Form = parsed.GetValue(_form),
        AccuracyLevel = parsed.GetValue(_accuracyLevel), KeepInFloat = parsed.GetValue(_keepInFloat), InputShapes = parsed.GetValue(_inputShape) ?? [],
    };

    /// <summary>The mode that is asked for; null for static.</summary>
    /// <exception cref="UsageException">There is no such mode, or it does not take an option that is given.</exception>
    public static DatalessMode? OtherThanStatic(QuantizeSettings settings)
    {
        string[] known = ["static", "weight-only", "dynamic", "float16", "float"];
        string mode = settings.Mode.Mode;
        if (!known.Contains(mode)) throw new UsageException($"there is no mode '{mode}'{Data.Closest.Suggestion(mode, known)}; there are {string.Join(", ", known)}");
        if (mode != "weight-only" && BlockOption(settings.Mode) is { } option) throw new UsageException($"{option} is for --mode weight-only, and the mode is {mode}; leave it out");
        if (mode != "float16" && settings.Mode.KeepInFloat is not null) throw new UsageException($"--keep-in-float is for --mode float16, and the mode is {mode}; --exclude names nodes that stay float there");
        if (mode == "static") return null;
        if (StaticOption(settings) is { } other) throw new UsageException($"{other} is for --mode static, and the mode is {mode}; leave it out");
        try
        {
            return mode switch
            {
                "dynamic" => Dynamic(settings),
                "float16" => Float16(settings),
                "float" => Dequantized(settings),
                _ => WeightOnly(settings),
            };
        }
        catch (ArgumentException problem)
        {
            throw new UsageException(CommandLine.WithoutParameter(problem));
        }
    }

    private static DatalessMode Dynamic(QuantizeSettings settings)
    {
        var options = new DynamicOptions { Weights = IntegerFormat.Parse(settings.Weights ?? "int8"), Exclude = [.. QuantizeCommand.Excluded(settings)] };
        return new("dynamic", "dynamic", quantizer => quantizer.Dynamic(options), null) { Recipe = new() { Mode = QuantizationMode.Dynamic, Dynamic = options } };
    }

    private static DatalessMode Float16(QuantizeSettings settings)
    {
        if (settings.Weights is { } weights && weights != "float16") throw new UsageException($"--weights is '{weights}', and --mode float16 makes weights float16; leave it out");
        string[] listed = settings.Mode.KeepInFloat?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
        var options = new Float16Options { KeepInFloat = [.. listed, .. QuantizeCommand.Excluded(settings)], KeepInputsAndOutputs = settings.Recipe.Stated?.Float16.KeepInputsAndOutputs ?? true };
        return new("float16", "float16", quantizer => quantizer.Float16(options), "ONNX Runtime computes float16 in float32 on CPUs without float16 arithmetic: smaller there, not faster") { Recipe = new() { Mode = QuantizationMode.Float16, Float16 = options } };
    }

    private static DatalessMode Dequantized(QuantizeSettings settings)
    {
        string? option = settings.Weights is not null ? "--weights" : settings.Exclude is not null ? "--exclude" : settings.ExcludeFrom is not null ? "--exclude-from" : null;
        if (option is not null) throw new UsageException($"{option} is for modes that quantize, and --mode float makes everything float; leave it out");
        return new("float", "float", quantizer => quantizer.Dequantize(), "weights keep the rounding of their codes; activations are no longer rounded, only clipped to the ranges that they had");
    }

    private static DatalessMode WeightOnly(QuantizeSettings settings)
    {
        ModeSettings mode = settings.Mode;
        var options = new WeightOnlyOptions
        {
            Weights = IntegerFormat.Parse(settings.Weights ?? "int4"), BlockSize = mode.BlockSize ?? 32,
            Scheme = mode.Scheme switch { null => null, "symmetric" => QuantizationScheme.Symmetric, "affine" => QuantizationScheme.Affine, var other => throw new UsageException($"--scheme is '{other}', expected symmetric or affine") },
            Form = mode.Form switch { null or "qdq" => WeightOnlyForm.DequantizeLinear, "matmulnbits" => WeightOnlyForm.MatMulNBits, var other => throw new UsageException($"--form is '{other}', expected qdq or matmulnbits") },
            AccuracyLevel = mode.AccuracyLevel ?? 0, Exclude = [.. QuantizeCommand.Excluded(settings)],
        };
        bool isStandard = options.Form == WeightOnlyForm.DequantizeLinear;
        if (isStandard && mode.AccuracyLevel is not null) throw new UsageException("--accuracy-level is for --form matmulnbits: a DequantizeLinear cannot state one; leave it out");
        return new("weight-only", options.Weights.Name, quantizer => quantizer.WeightOnly(options), isStandard
            ? "ONNX Runtime fuses these blocks at accuracy level 4 (activations rounded to 8 bits), unless its session option session.qdq_matmulnbits_accuracy_level is 0" : null) { Recipe = new() { Mode = QuantizationMode.WeightOnly, WeightOnly = options } };
    }

    private static string? BlockOption(ModeSettings mode) =>
        mode.BlockSize is not null ? "--block-size" : mode.Scheme is not null ? "--scheme" : mode.Form is not null ? "--form" : mode.AccuracyLevel is not null ? "--accuracy-level" : null;

    private static string? StaticOption(QuantizeSettings settings) =>
        settings.Calibration is not null ? "--calibration" : settings.Activations is not null ? "--activations" : settings.Target.Target is not null ? "--target" : settings.Placement != "deploy" ? "--placement" : settings.Range is not null ? "--range"
        : settings.WeightRange is not null ? "--weight-range" : settings.FirstLast != "8" ? "--first-last" : settings.Samples is not null ? "--samples" : settings.QuantizeOutputs ? "--quantize-outputs"
        : settings.WeightGranularity != "channel" ? "--weight-granularity" : settings.Formats.Container != WeightContainer.Fast ? "--container" : settings.Formats.IsStrict ? "--strict" : settings.Transforms.Equalize ? "--equalize" : settings.Transforms.AbsorbBiases ? "--absorb-biases" : settings.Transforms.CorrectBiases ? "--correct-biases"
        : settings.Learning != new LearningSettings() ? "learned rounding" : null;
}
