using System.Globalization;
using Fewbit.Recipes;
using Fewbit.Transforms;

namespace Fewbit.Quantization;

/// <summary>States a recipe in the keys that <see cref="QuantizationRecipeReader"/> reads.</summary>
internal static class QuantizationRecipeWriter
{
    public static readonly string[] TransformNames = ["equalize", "absorb-biases", "correct-biases"];

    public static RecipeWriter Write(QuantizationRecipe recipe)
    {
        RecipeWriter map = new RecipeWriter().Text("mode", NameOf(recipe.Mode));
        switch (recipe.Mode)
        {
            case QuantizationMode.WeightOnly: WriteWeightOnly(map, recipe.WeightOnly); break;
            case QuantizationMode.Dynamic: map.Text("weights", recipe.Dynamic.Weights.Name).Texts("exclude", recipe.Dynamic.Exclude); break;
            case QuantizationMode.Float16: map.Texts("keep-in-float", recipe.Float16.KeepInFloat).Flag("keep-inputs-and-outputs", recipe.Float16.KeepInputsAndOutputs); break;
            default:
                map.Text("calibration", recipe.Calibration).Number("samples", recipe.Samples);
                WriteStatic(map, recipe.Options);
                break;
        }
        return map.Text("data", recipe.Data).Text("seed", recipe.Seed.ToString(CultureInfo.InvariantCulture)).Text("preprocess", recipe.Preprocess).Text("labels", recipe.Labels)
            .Text("label-pattern", recipe.LabelPattern).Text("label-key", recipe.LabelKey).Texts("input-shapes", recipe.InputShapes);
    }

    /// <summary>"QuantizedPrefix" as "quantized-prefix"; methods are written as the command line has them.</summary>
    public static string NameOf<T>(T value) where T : struct, Enum
    {
        string name = value.ToString();
        return value is RoundingMethod ? name.ToLowerInvariant()
            : string.Concat(name.Select((c, index) => (char.IsUpper(c) && index > 0 ? "-" : "") + char.ToLowerInvariant(c)));
    }

    private static void WriteStatic(RecipeWriter map, QuantizationOptions options)
    {
        map.Text("target", options.Target?.Name).Text("runtime", options.Runtime?.Name).Text("weights", options.Weights.Name).Text("weight-granularity", options.WeightGranularity.ToString()).Text("weight-range", options.WeightRange?.ToString())
            .Text("container", options.Container == WeightContainer.Fast ? null : NameOf(options.Container)).Flag("strict", options.Strict ? true : null)
            .Text("activations", options.Activations?.Name ?? "float").Text("activation-range", options.ActivationRange?.ToString())
            .Text("placement", NameOf(options.Placement)).Map("first-last", Edges(options)).Flag("quantize-outputs", options.QuantizeOutputs)
            .Maps("transforms", options.Transforms.Select(Transform)).Text("rounding", NameOf(options.Method));
        if (options.Method != RoundingMethod.Nearest) WriteLearning(map, options.Learning);
        map.Texts("exclude", options.Exclude).Maps("overrides", options.Overrides.Select(Override));
    }

    private static RecipeWriter Edges(QuantizationOptions options) => new RecipeWriter().Text("weights", Kept(options.KeepEdgesAt8Bits))
        .Text("last-input", Kept(options.KeepLastInputAt8Bits)).Text("first-output", Kept(options.KeepFirstOutputAt8Bits));

    private static string? Kept(bool? keeps) => keeps is { } value ? (value ? "8" : "same") : null;

    private static void WriteLearning(RecipeWriter map, LearningOptions learning)
    {
        if (learning.UnitInput is { } input)
            map.Map("unit-input", new RecipeWriter().Text("name", NameOf(input)).Number("mix-probability", input == UnitInput.RandomMix ? learning.MixProbability : null));
        if (learning.Objective is { } objective)
            map.Map("objective", new RecipeWriter().Text("name", NameOf(objective)).Number("objective-power", objective == LearningObjective.OutputError ? learning.ObjectivePower : null));
        map.Map("learning", new RecipeWriter().Number("iterations", learning.Iterations).Number("activation-iterations", learning.ActivationIterations)
            .Number("rounding-weight", learning.RoundingWeight).Number("rounding-rate", learning.RoundingRate).Number("scale-rate", learning.ScaleRate)
            .Number("drop-probability", learning.DropProbability).Number("batch-size", learning.BatchSize).Text("time-budget", learning.TimeBudget is { } budget ? Durations.Text(budget) : null)
            .Maps("steps-by-unit", (learning.StepsByUnit ?? new Dictionary<string, int>()).OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => new RecipeWriter().Text("unit", pair.Key).Number("steps", pair.Value))));
    }

    private static RecipeWriter Transform(ModelTransform transform) => transform switch
    {
        EqualizeLayers equalize => new RecipeWriter().Text("name", TransformNames[0]).Number("sweeps", equalize.Sweeps).Number("tolerance", equalize.Tolerance)
            .Number("largest-clip-cost", equalize.LargestClipCost).Number("samples", equalize.Samples),
        AbsorbBiases absorb => new RecipeWriter().Text("name", TransformNames[1]).Number("deviations", absorb.Deviations),
        CorrectBiases correct => new RecipeWriter().Text("name", TransformNames[2]).Text("source", NameOf(correct.Source)).Number("samples", correct.Samples),
        _ => throw new InvalidOperationException($"Bug in recipes: transform '{transform.Name}' has no keys"),
    };

    private static RecipeWriter Override(LayerOverride layer) => new RecipeWriter().Text("layers", layer.Layers).Text("weights", layer.Weights?.Name)
        .Text("weight-granularity", layer.WeightGranularity?.ToString()).Text("weight-range", layer.WeightRange?.ToString())
        .Text("activations", layer.Activations?.Name).Text("activation-range", layer.ActivationRange?.ToString()).Flag("exclude", layer.Exclude);

    private static void WriteWeightOnly(RecipeWriter map, WeightOnlyOptions options) => map.Text("weights", options.Weights.Name).Number("block-size", options.BlockSize)
        .Text("scheme", options.Scheme is { } scheme ? NameOf(scheme) : null).Text("form", options.Form == WeightOnlyForm.MatMulNBits ? "matmulnbits" : "qdq")
        .Number("accuracy-level", options.Form == WeightOnlyForm.MatMulNBits ? options.AccuracyLevel : null).Texts("exclude", options.Exclude);
}
