using System.CommandLine;
using Fewbit.Cli.Console;
using Fewbit.Cli.Training;
using Fewbit.Recipes;
using Fewbit.Training;

namespace Fewbit.Cli.Commands;

internal sealed record TrainSettings
{
    public required TrainingRecipe Recipe { get; init; }
    public string? Output { get; init; }
    public bool Overwrite { get; init; }
    public string? Checkpoint { get; init; }
    public int? CheckpointSteps { get; init; }
    public bool Resume { get; init; }
    public string? Metrics { get; init; }
    public CommonSettings Common { get; init; } = new();
}

/// <summary>fewbit train.</summary>
internal static class TrainCommand
{
    public static Command Create(CommonOptions common, CommandOutput output, CancellationToken cancellation)
    {
        var model = new Argument<string?>("model") { Description = "ONNX model, or name of a reference model ('fewbit new --list').", Arity = ArgumentArity.ZeroOrOne };
        var recipe = new Option<string?>("--recipe") { Description = "YAML file with all settings; the options here go before it.", HelpName = "FILE" };
        var target = new Option<string?>("--output", "-o") { Description = "File to write. Default: NAME.trained.onnx.", HelpName = "FILE" };
        var overwrite = new Option<bool>("--overwrite") { Description = "Replace the file if it is there." };
        var checkpoint = new Option<string?>("--checkpoint") { Description = "Keep the state here after each epoch and when stopped by Ctrl-C.", HelpName = "FILE" };
        var checkpointSteps = new Option<int?>("--checkpoint-steps") { Description = "Keep the state every N steps too.", HelpName = "N" };
        var resume = new Option<bool>("--resume") { Description = "Go on from the checkpoint, to the same bytes as without a stop." };
        var metrics = new Option<string?>("--metrics") { Description = "Write the figures of each epoch as CSV or JSON lines.", HelpName = "FILE.csv|.jsonl" };
        var anomalies = new Option<bool>("--detect-anomalies") { Description = "Look at every number, and name the node where NaN or infinity first appears. Several times slower." };
        var set = new Option<string[]>("--set") { Description = "Any other key of a recipe: optimizer.nesterov=true.", HelpName = "KEY=VALUE", AllowMultipleArgumentsPerToken = false };
        var command = new Command("train", "Trains a model, or trains it further, and writes it as ONNX.") { model, recipe, target, overwrite, checkpoint, checkpointSteps, resume, metrics, anomalies, set };
        (Option<string?> Option, string Key)[] keys = [.. RecipeOptions.All.Select(entry => (entry.Create(), entry.Key))];
        foreach ((Option<string?> option, _) in keys) command.Options.Add(option);
        command.SetAction(parsed => Run(new()
        {
            Recipe = ReadRecipe(parsed.GetValue(recipe), Stated(parsed)), Output = parsed.GetValue(target), Overwrite = parsed.GetValue(overwrite), Checkpoint = parsed.GetValue(checkpoint),
            CheckpointSteps = parsed.GetValue(checkpointSteps), Resume = parsed.GetValue(resume), Metrics = parsed.GetValue(metrics), Common = common.Read(parsed),
        }, output, cancellation));
        HelpWithExamples.SetExamples(command,
            "fewbit train resnet20 --data train/ --validation val/ --epochs 20 --lr 0.1 --schedule cosine --augment cifar -o model.onnx",
            "fewbit train model.onnx --data train.npz --optimizer adamw --lr 1e-4 --epochs 3 -o tuned.onnx",
            "fewbit train --recipe recipe.yaml --checkpoint run.json --resume -o model.onnx");
        return command;

        IEnumerable<(string Key, string Text, string Where)> Stated(ParseResult parsed)
        {
            if (parsed.GetValue(model) is { } named) yield return ("model", named, "the model argument");
            foreach ((Option<string?> option, string key) in keys)
            {
                if (parsed.GetValue(option) is { } text) yield return (key, text, option.Name);
            }
            if (common.SeedOf(parsed) is { } seed) yield return ("seed", seed, "--seed");
            if (parsed.GetValue(anomalies)) yield return ("detect-anomalies", "true", "--detect-anomalies");
            foreach (string pair in parsed.GetValue(set) ?? [])
            {
                int equals = pair.IndexOf('=', StringComparison.Ordinal);
                yield return equals > 0 ? (pair[..equals], pair[(equals + 1)..], $"--set {pair}") : throw new UsageException($"--set is '{pair}', expected KEY=VALUE");
            }
        }
    }

    public static int Run(TrainSettings settings, CommandOutput output, CancellationToken cancellation = default)
    {
        TrainReport report = new TrainJob(settings, output, cancellation).Run();
        if (settings.Common.Json) output.Json(report);
        else report.Write(output);
        return CommandLine.Success;
    }

    /// <summary>The recipe with the options of the command line over it.</summary>
    internal static TrainingRecipe ReadRecipe(string? path, IEnumerable<(string Key, string Text, string Where)> options)
    {
        RecipeMap map = path is null ? RecipeMap.Empty(TrainingRecipe.Section) : RecipeFile.Read(path, TrainingRecipe.Section);
        foreach ((string key, string text, string where) in options)
        {
            // Another optimizer or schedule has other keys: the recipe's are for its own.
            if (key is "optimizer" or "schedule" or "augment" or "loss" && map.Map(key)?.Text("name") == text) continue;
            map.Set(key, text, where);
        }
        try
        {
            return TrainingRecipe.From(map);
        }
        catch (InvalidDataException problem) when (problem.Message.StartsWith("--", StringComparison.Ordinal))
        {
            // What the command line states wrongly is wrong usage; a wrong recipe is a failure.
            throw new UsageException(problem.Message);
        }
    }
}
