using Fewbit.Cli.Commands;
using Fewbit.Cli.Console;
using Fewbit.Formats;
using Fewbit.Quantization;
using Fewbit.Recipes;

namespace Fewbit.Cli.Quantizing;

/// <summary>Lays the settings of a command line over those of a recipe.</summary>
internal static class RecipeOverlay
{
    /// <param name="settings">The command line's.</param>
    /// <param name="own">What it says of recipes.</param>
    /// <param name="recipe">The file's.</param>
    /// <param name="isGiven">Whether the command line states an option.</param>
    public static QuantizeSettings Lay(QuantizeSettings settings, RecipeSettings own, QuantizationRecipe recipe, Func<string, bool> isGiven)
    {
        recipe = WithoutOthers(settings, recipe, isGiven);
        own = own with
        {
            Stated = recipe, HasOtherEdges = isGiven("--first-last"), HasOtherTransforms = settings.Transforms != new TransformSettings(),
        };
        settings = settings with
        {
            Recipe = own, Data = settings.Data ?? recipe.Data,
            Reading = settings.Reading with
            {
                Preprocess = settings.Reading.Preprocess ?? recipe.Preprocess, Labels = settings.Reading.Labels ?? recipe.Labels,
                LabelPattern = settings.Reading.LabelPattern ?? recipe.LabelPattern, LabelKey = settings.Reading.LabelKey ?? recipe.LabelKey,
            },
            Common = isGiven("--seed") ? settings.Common : settings.Common with { Seed = recipe.Seed },
            Mode = settings.Mode with { Mode = QuantizationRecipeWriter.NameOf(recipe.Mode), InputShapes = settings.Mode.InputShapes.Count > 0 ? settings.Mode.InputShapes : recipe.InputShapes },
        };
        return recipe.Mode switch
        {
            QuantizationMode.WeightOnly => WeightOnly(settings, recipe.WeightOnly),
            QuantizationMode.Dynamic => settings with { Weights = settings.Weights ?? recipe.Dynamic.Weights.Name },
            QuantizationMode.Float16 => settings,
            _ => Static(settings, recipe, isGiven),
        };
    }

    /// <summary>Another mode, or another method, has other settings: the recipe's are for its own.</summary>
    private static QuantizationRecipe WithoutOthers(QuantizeSettings settings, QuantizationRecipe recipe, Func<string, bool> isGiven)
    {
        if (isGiven("--mode") && settings.Mode.Mode != QuantizationRecipeWriter.NameOf(recipe.Mode))
        {
            QuantizationMode? mode = Enum.GetValues<QuantizationMode>().Cast<QuantizationMode?>().FirstOrDefault(value => QuantizationRecipeWriter.NameOf(value!.Value) == settings.Mode.Mode);
            return new()
            {
                Mode = mode ?? throw new UsageException($"--mode {settings.Mode.Mode} takes no recipe; leave --recipe out"), Data = recipe.Data, Seed = recipe.Seed, Preprocess = recipe.Preprocess,
                Labels = recipe.Labels, LabelPattern = recipe.LabelPattern, LabelKey = recipe.LabelKey, InputShapes = recipe.InputShapes,
            };
        }
        bool isOtherMethod = isGiven("--method") && settings.Learning.Method != QuantizationRecipeWriter.NameOf(recipe.Options.Method);
        return isOtherMethod ? recipe with { Options = recipe.Options with { Method = RoundingMethod.Nearest, Learning = new() } } : recipe;
    }

    private static QuantizeSettings Static(QuantizeSettings settings, QuantizationRecipe recipe, Func<string, bool> isGiven)
    {
        (QuantizationOptions options, LearningSettings learning) = (recipe.Options, settings.Learning);
        string? activations = settings.Activations ?? (options.Activations == options.Destination.Activations ? null : options.Activations?.Name ?? "float");
        return settings with
        {
            Calibration = settings.Calibration ?? recipe.Calibration,
            Samples = settings.Samples ?? recipe.Samples,
            Target = new() { Target = settings.Target.Target ?? options.Target?.Name, Runtime = settings.Target.Runtime ?? options.Runtime?.Name },
            // What is the target's own stays so where the command line names another target.
            Weights = settings.Weights ?? (options.Weights == options.Destination.Weights ? null : options.Weights.Name),
            WeightGranularity = isGiven("--weight-granularity") ? settings.WeightGranularity : options.WeightGranularity.ToString(),
            WeightRange = settings.WeightRange ?? options.WeightRange?.ToString(),
            Formats = new() { Container = isGiven("--container") ? settings.Formats.Container : options.Container, IsStrict = settings.Formats.IsStrict || options.Strict },
            Activations = activations,
            Range = settings.Range ?? (activations == "float" ? null : options.ActivationRange?.ToString()),
            Placement = isGiven("--placement") ? settings.Placement : QuantizationRecipeWriter.NameOf(options.Placement),
            QuantizeOutputs = settings.QuantizeOutputs || options.QuantizeOutputs,
            Learning = learning with
            {
                Method = isGiven("--method") ? learning.Method : QuantizationRecipeWriter.NameOf(options.Method),
                Iterations = learning.Iterations ?? options.Learning.Iterations, ActivationIterations = learning.ActivationIterations ?? options.Learning.ActivationIterations,
                RoundingWeight = learning.RoundingWeight ?? options.Learning.RoundingWeight, RoundingRate = learning.RoundingRate ?? options.Learning.RoundingRate,
                ScaleRate = learning.ScaleRate ?? options.Learning.ScaleRate, DropProbability = learning.DropProbability ?? options.Learning.DropProbability, Batch = learning.Batch ?? options.Learning.BatchSize,
                TimeBudget = learning.TimeBudget ?? (options.Learning.TimeBudget is { } budget ? Durations.Text(budget) : null),
            },
        };
    }

    private static QuantizeSettings WeightOnly(QuantizeSettings settings, WeightOnlyOptions options)
    {
        ModeSettings mode = settings.Mode;
        string form = mode.Form ?? (options.Form == WeightOnlyForm.MatMulNBits ? "matmulnbits" : "qdq");
        return settings with
        {
            Weights = settings.Weights ?? options.Weights.Name,
            Mode = mode with
            {
                BlockSize = mode.BlockSize ?? options.BlockSize, Form = form, AccuracyLevel = mode.AccuracyLevel ?? (form == "matmulnbits" ? options.AccuracyLevel : null),
                Scheme = mode.Scheme ?? options.Scheme switch { QuantizationScheme.Symmetric => "symmetric", QuantizationScheme.Affine => "affine", _ => null },
            },
        };
    }
}
