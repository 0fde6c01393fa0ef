using System.CommandLine;
using System.CommandLine.Parsing;
using Fewbit.Cli.Commands;
using Fewbit.Cli.Console;
using Fewbit.Quantization;

namespace Fewbit.Cli.Quantizing;

/// <summary>What a command line says of recipes and plans, and what they say.</summary>
internal sealed record RecipeSettings
{
    /// <summary>What the file states, without what the command line states in its place; null without a file.</summary>
    public QuantizationRecipe? Stated { get; init; }

    /// <summary>The plan to follow; null for none.</summary>
    public QuantizationPlan? Followed { get; init; }

    /// <summary>Whether the command line names transforms of its own.</summary>
    public bool HasOtherTransforms { get; init; }

    /// <summary>Whether the command line speaks of first and last layers.</summary>
    public bool HasOtherEdges { get; init; }

    /// <summary>File to write the recipe to; null for none.</summary>
    public string? Save { get; init; }

    /// <summary>File to write the plan to; null for none.</summary>
    public string? Plan { get; init; }

    /// <summary>Nodes that the file leaves float.</summary>
    public IEnumerable<string> Exclude => Stated is null ? [] : Stated.Mode switch
    {
        QuantizationMode.WeightOnly => Stated.WeightOnly.Exclude,
        QuantizationMode.Dynamic => Stated.Dynamic.Exclude,
        QuantizationMode.Float16 => Stated.Float16.KeepInFloat,
        _ => Stated.Options.Exclude,
    };
}

/// <summary>The options of recipes and plans.</summary>
internal sealed class RecipeArguments
{
    private readonly Option<string?> _recipe = new("--recipe") { Description = "YAML file with settings, per layer too; the options here go before it.", HelpName = "FILE" };
    private readonly Option<string?> _save = new("--save-recipe") { Description = "Write the settings of this run as a recipe.", HelpName = "FILE" };
    private readonly Option<string?> _plan = new("--plan") { Description = "Write what was decided: formats, scales, steps, learned codes.", HelpName = "FILE" };
    private readonly Option<string?> _follow = new("--from-plan") { Description = "Decide as a plan did, to the same bytes, without learning again; settings are the plan's.", HelpName = "FILE" };

    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { _recipe, _save, _plan, _follow }) command.Options.Add(option);
    }

    /// <summary>The settings of a command line with those of its recipe or plan where it states nothing.</summary>
    /// <exception cref="InvalidDataException">The recipe or plan is wrong.</exception>
    /// <exception cref="UsageException">Options contradict each other.</exception>
    public QuantizeSettings Apply(ParseResult parsed, QuantizeSettings settings)
    {
        (string? file, string? follow) = (parsed.GetValue(_recipe), parsed.GetValue(_follow));
        if (file is not null && follow is not null) throw new UsageException("--recipe and --from-plan both state the settings; leave one of them out");
        QuantizationPlan? followed = follow is null ? null : QuantizationPlan.Read(follow);
        var recipe = new RecipeSettings { Followed = followed, Save = parsed.GetValue(_save), Plan = parsed.GetValue(_plan) };
        foreach (string path in new[] { recipe.Save, recipe.Plan }.OfType<string>()) TargetFile.CheckWritable(path, settings.Model, settings.Overwrite);
        if ((followed?.Recipe ?? (file is null ? null : QuantizationRecipe.Read(file))) is not { } stated) return settings with { Recipe = recipe };
        return RecipeOverlay.Lay(settings, recipe, stated, name => parsed.GetResult(name) is OptionResult { Implicit: false });
    }

    /// <summary>Options with what only a recipe states.</summary>
    public static QuantizationOptions Complete(RecipeSettings settings, QuantizationOptions options)
    {
        if (settings.Stated?.Options is not { } stated) return options;
        QuantizationOptions edges = settings.HasOtherEdges ? options : stated;
        return options with
        {
            Transforms = settings.HasOtherTransforms ? options.Transforms : stated.Transforms,
            Overrides = stated.Overrides,
            KeepEdgesAt8Bits = edges.KeepEdgesAt8Bits,
            KeepLastInputAt8Bits = edges.KeepLastInputAt8Bits,
            KeepFirstOutputAt8Bits = edges.KeepFirstOutputAt8Bits,
            Learning = options.Learning with
            {
                UnitInput = stated.Learning.UnitInput, MixProbability = stated.Learning.MixProbability,
                Objective = options.Learning.Objective ?? stated.Learning.Objective, ObjectivePower = stated.Learning.ObjectivePower, StepsByUnit = stated.Learning.StepsByUnit,
            },
        };
    }

    /// <summary>Writes recipe and plan where they are asked for.</summary>
    /// <param name="settings">The settings of the run.</param>
    /// <param name="recipe">Mode and options that were used.</param>
    /// <param name="plan">What was decided; null where the mode decides nothing from data.</param>
    /// <param name="output">Told of the files.</param>
    public static void Write(QuantizeSettings settings, QuantizationRecipe recipe, QuantizationPlan? plan, CommandOutput output)
    {
        recipe = recipe with
        {
            Calibration = settings.Calibration, Data = settings.Data, Samples = settings.Samples, Seed = settings.Common.Seed, Preprocess = settings.Reading.Preprocess, Labels = settings.Reading.Labels,
            LabelPattern = settings.Reading.LabelPattern, LabelKey = settings.Reading.LabelKey, InputShapes = settings.Mode.InputShapes,
        };
        if (settings.Recipe.Save is { } path)
        {
            recipe.Write(path);
            output.Written.Add(path);
        }
        if (settings.Recipe.Plan is { } file)
        {
            (plan ?? throw new UsageException($"--plan is for --mode static, and the mode is {settings.Mode.Mode}; leave it out")).Write(file, recipe);
            output.Written.Add(file);
        }
    }
}
