using System.Globalization;
using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Recipes;
using Fewbit.Targets;
using Fewbit.Transforms;

namespace Fewbit.Quantization;

/// <summary>The keys of a recipe's section "quantization".</summary>
internal static class QuantizationRecipeReader
{
    public static QuantizationRecipe Read(RecipeMap map)
    {
        var recipe = new QuantizationRecipe
        {
            Mode = Named<QuantizationMode>(map, "mode") ?? QuantizationMode.Static,
            Data = map.Text("data"),
            Seed = map.ParsedValue("seed", ParseSeed) ?? 0,
            Preprocess = map.Text("preprocess"),
            Labels = map.Text("labels"),
            LabelPattern = map.Text("label-pattern"),
            LabelKey = map.Text("label-key"),
            InputShapes = map.Texts("input-shapes"),
        };
        return recipe.Mode switch
        {
            QuantizationMode.WeightOnly => recipe with { WeightOnly = WeightOnly(map) },
            QuantizationMode.Dynamic => recipe with { Dynamic = new() { Weights = map.Parsed("weights", text => new DynamicOptions { Weights = IntegerFormat.Parse(text) }.Weights) ?? IntegerFormat.Int8, Exclude = map.Texts("exclude") } },
            QuantizationMode.Float16 => recipe with { Float16 = new() { KeepInFloat = map.Texts("keep-in-float"), KeepInputsAndOutputs = map.Flag("keep-inputs-and-outputs") ?? true } },
            _ => recipe with { Calibration = map.Text("calibration"), Samples = map.Integer("samples"), Options = Static(map, recipe.Seed) },
        };
    }

    private static QuantizationOptions Static(RecipeMap map, long seed)
    {
        var options = new QuantizationOptions { Target = map.Parsed("target", ExportTarget.Parse), Runtime = map.Parsed("runtime", RuntimeVersion.Parse) };
        // What is not stated is the target's.
        if (map.Parsed("weights", NumberFormats.Parse) is { } weights) options = options with { Weights = weights };
        if (map.Text("activations") == "float") options = options with { Activations = null };
        else if (map.Parsed("activations", NumberFormats.Parse) is { } activations) options = options with { Activations = activations };
        RecipeMap edges = map.Map("first-last") ?? RecipeMap.Empty("first-last");
        (bool keepsEdges, bool? keepsInput, bool? keepsOutput) = edges.Read(Edges);
        RoundingMethod method = Named<RoundingMethod>(map, "rounding") ?? RoundingMethod.Nearest;
        foreach (string key in (string[])["unit-input", "objective", "learning"])
        {
            if (method == RoundingMethod.Nearest && map.Keys.Contains(key)) throw map.Fail(key, "is for a rounding that learns, and nearest learns nothing; state rounding: adaround, brecq or qdrop, or leave it out");
        }
        return options with
        {
            WeightGranularity = map.ParsedValue("weight-granularity", WeightGranularity.Parse) ?? options.WeightGranularity,
            WeightRange = map.Parsed("weight-range", RangeRule.Parse),
            Container = Named<WeightContainer>(map, "container") ?? options.Container,
            Strict = map.Flag("strict") ?? false,
            ActivationRange = map.Parsed("activation-range", RangeRule.Parse),
            Placement = Named<QuantizerPlacement>(map, "placement") ?? options.Placement,
            KeepEdgesAt8Bits = keepsEdges,
            KeepLastInputAt8Bits = keepsInput,
            KeepFirstOutputAt8Bits = keepsOutput,
            QuantizeOutputs = map.Flag("quantize-outputs") ?? false,
            Transforms = [.. map.Maps("transforms").Select(transform => transform.Read(Transform))],
            Method = method,
            Learning = Learning(map) with { Seed = unchecked((ulong)seed) },
            Exclude = map.Texts("exclude"),
            Overrides = [.. map.Maps("overrides").SelectMany(layer => layer.Read(Override))],
        };
    }

    /// <summary>"first-last: same", or weights, last-input and first-output each 8 or same; the last two by the method where nothing is said.</summary>
    private static (bool Weights, bool? LastInput, bool? FirstOutput) Edges(RecipeMap map)
    {
        bool? all = Keeps(map, "name");
        return (Keeps(map, "weights") ?? all ?? true, Keeps(map, "last-input") ?? (all == false ? false : null), Keeps(map, "first-output") ?? (all == false ? false : null));
    }

    private static bool? Keeps(RecipeMap map, string key) => map.Choice(key, "8", "same") is { } text ? text == "8" : null;

    private static LearningOptions Learning(RecipeMap map)
    {
        var options = new LearningOptions();
        if (map.Map("learning") is { } learning) options = learning.Read(part => options with
        {
            Iterations = part.Integer("iterations"), ActivationIterations = part.Integer("activation-iterations"), RoundingWeight = part.Number("rounding-weight"),
            RoundingRate = part.Number("rounding-rate"), ScaleRate = part.Number("scale-rate"), DropProbability = part.Number("drop-probability"), BatchSize = part.Integer("batch-size"),
            TimeBudget = part.ParsedValue("time-budget", Durations.Parse), StepsByUnit = Steps(part),
        });
        if (map.Map("unit-input") is { } input) options = input.Read(part => Named<UnitInput>(part, "name") is { } kind
            ? options with { UnitInput = kind, MixProbability = kind == UnitInput.RandomMix ? part.Number("mix-probability") ?? options.MixProbability : options.MixProbability }
            : throw part.Fail("states no name"));
        if (map.Map("objective") is { } objective) options = objective.Read(part => Named<LearningObjective>(part, "name") is { } kind
            ? options with { Objective = kind, ObjectivePower = kind == LearningObjective.OutputError ? part.Number("objective-power") ?? options.ObjectivePower : options.ObjectivePower }
            : throw part.Fail("states no name"));
        return options;
    }

    /// <summary>"- {unit: weights/block1, steps: 500}"; null where nothing is stated.</summary>
    private static Dictionary<string, int>? Steps(RecipeMap map)
    {
        var steps = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (RecipeMap part in map.Maps("steps-by-unit"))
        {
            (string unit, int count) = part.Read(entry => (entry.Text("unit") ?? throw entry.Fail("states no unit"), entry.Integer("steps") is { } number and > 0 ? number : throw entry.Fail("states no steps, at least 1")));
            if (!steps.TryAdd(unit, count)) throw part.Fail($"states '{Data.Printable.Of(unit)}' twice");
        }
        return steps.Count == 0 ? null : steps;
    }

    private static ModelTransform Transform(RecipeMap map)
    {
        var (equalize, absorb, correct) = (new EqualizeLayers(), new AbsorbBiases(), new CorrectBiases());
        return map.Choice("name", QuantizationRecipeWriter.TransformNames) switch
        {
            "equalize" => equalize with
            {
                Sweeps = map.Integer("sweeps") ?? equalize.Sweeps, Tolerance = map.Number("tolerance") ?? equalize.Tolerance,
                LargestClipCost = map.Number("largest-clip-cost") ?? equalize.LargestClipCost, Samples = map.Integer("samples") ?? equalize.Samples,
            },
            "absorb-biases" => absorb with { Deviations = map.Number("deviations") ?? absorb.Deviations },
            "correct-biases" => correct with { Source = Named<MeanSource>(map, "source") ?? correct.Source, Samples = map.Integer("samples") ?? correct.Samples },
            _ => throw map.Fail($"states no name, expected {string.Join(", ", QuantizationRecipeWriter.TransformNames)}"),
        };
    }

    private static IEnumerable<LayerOverride> Override(RecipeMap map)
    {
        IReadOnlyList<string> layers = map.Texts("layers");
        if (layers.Count == 0) throw map.Fail("states no layers: names of nodes, or patterns with * and ?");
        var settings = new LayerOverride
        {
            Layers = "", Weights = map.Parsed("weights", NumberFormats.Parse), Activations = map.Parsed("activations", NumberFormats.Parse),
            WeightRange = map.Parsed("weight-range", RangeRule.Parse), ActivationRange = map.Parsed("activation-range", RangeRule.Parse),
            WeightGranularity = map.ParsedValue("weight-granularity", WeightGranularity.Parse), Exclude = map.Flag("exclude"),
        };
        return [.. layers.Select(name => settings with { Layers = name })];
    }

    private static WeightOnlyOptions WeightOnly(RecipeMap map)
    {
        var options = new WeightOnlyOptions();
        return options with
        {
            Weights = map.Parsed("weights", text => (options with { Weights = IntegerFormat.Parse(text) }).Weights) ?? options.Weights,
            BlockSize = map.ParsedValue("block-size", text => (options with { BlockSize = int.TryParse(text, CultureInfo.InvariantCulture, out int size) ? size : 0 }).BlockSize) ?? options.BlockSize,
            Scheme = Named<QuantizationScheme>(map, "scheme"),
            Form = map.Choice("form", "qdq", "matmulnbits") == "matmulnbits" ? WeightOnlyForm.MatMulNBits : WeightOnlyForm.DequantizeLinear,
            AccuracyLevel = map.Choice("accuracy-level", "0", "4") == "4" ? 4 : 0,
            Exclude = map.Texts("exclude"),
        };
    }

    private static long ParseSeed(string text) => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long seed) ? seed : throw new ArgumentException("expected a whole number", nameof(text));

    /// <summary>A value of an enumeration by its name in a recipe; null where it is not stated.</summary>
    private static T? Named<T>(RecipeMap map, string key) where T : struct, Enum
    {
        T[] values = Enum.GetValues<T>();
        return map.Choice(key, [.. values.Select(QuantizationRecipeWriter.NameOf)]) is { } text ? values.Single(value => QuantizationRecipeWriter.NameOf(value) == text) : null;
    }
}
