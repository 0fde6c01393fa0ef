using System.Globalization;
using System.Text;
using Fewbit.Fuzzing.Data;

namespace Fewbit.Fuzzing.Weights;

/// <summary>Recipes in YAML: known keys with any value, lists, maps, anchors, nesting.</summary>
internal static class RecipeSeeds
{
    private static readonly string[] Keys =
    [
        "model", "weights", "classes", "input-size", "data", "validation-share", "preprocess", "batch", "drop-last", "seed", "epochs", "steps-per-epoch", "clip-norm", "clip-value", "average-decay",
        "freeze-batch-norm", "recompute-activations", "keep", "other", "optimizer", "schedule", "groups", "loss", "augment",
    ];

    private static readonly string[] Parts = ["name", "learning-rate", "momentum", "weight-decay", "nesterov", "beta1", "epsilon", "every", "gamma", "milestones", "end", "unit", "warm-up-steps", "label-smoothing", "crop-padding", "flip", "mixup-alpha", "cutout-side"];
    private static readonly string[] Values = ["1", "0.1", "-1", "1e999", "nan", ".inf", "99999999999999999999", "true", "adamw", "cosine", "multi-step", "plateau", "cifar", "[1, 2]", "[]", "{}", "~", "''", "\"a\\nb\"", "&a 1", "*a", "!!binary aa", "|", ">-", "- - -", "resnet20", "epoch", "mse"];

    private static readonly string[] QuantizationKeys =
    [
        "mode", "calibration", "samples", "seed", "weights", "weight-granularity", "weight-range", "activations", "activation-range", "placement", "first-last", "quantize-outputs", "transforms", "rounding",
        "unit-input", "objective", "learning", "exclude", "overrides", "input-shapes", "block-size", "scheme", "form", "accuracy-level", "keep-in-float",
    ];

    private static readonly string[] QuantizationParts = ["name", "layers", "weights", "activations", "weight-range", "exclude", "sweeps", "samples", "source", "deviations", "iterations", "rounding-weight", "time-budget", "steps-by-unit", "unit", "steps", "mix-probability", "objective-power", "last-input"];
    private static readonly string[] QuantizationValues = ["int8", "uint4", "int99", "float", "tensor", "channel", "mse", "percentile:99.9", "percentile:", "qdrop", "brecq", "nearest", "paper", "same", "8", "weight-only", "dynamic", "float16", "equalize", "correct-biases", "random-mix", "output-error", "10m", "1e9h", "0.00000001s", "layer?.*", "'* #: x'", "\"\\u0007\\n\""];

    /// <summary>Recipes of quantization.</summary>
    public static byte[] CreateQuantization(Random random, bool isDeep) => isDeep ? Create(random, "quantization", QuantizationKeys, QuantizationParts, ["overrides", "transforms"], [.. Values, .. QuantizationValues])
        : Encoding.UTF8.GetBytes("version: 1\nquantization:\n  weights: uint4\n  transforms: [equalize, {name: correct-biases, samples: 64}]\n  rounding: qdrop\n  learning: {iterations: 500, time-budget: 10m}\n  overrides:\n    - layers: [fc, \"layer1.*\"]\n      weights: int8\n      exclude: false\n");

    /// <summary>Recipes of training.</summary>
    public static byte[] Create(Random random, bool isDeep)
    {
        if (!isDeep) return Encoding.UTF8.GetBytes("version: 1\ntraining:\n  model: resnet20\n  epochs: 20\n  optimizer: { name: sgd, learning-rate: 0.1, momentum: 0.9 }\n  schedule: cosine\n  augment: cifar\n  groups:\n    - names: \"*.bias\"\n      weight-decay: 0\n");
        return Create(random, "training", Keys, Parts, ["groups"], Values);
    }

    private static byte[] Create(Random random, string section, string[] keys, string[] parts, string[] lists, string[] values)
    {
        var text = new StringBuilder(random.Next(9) == 0 ? $"version: {Interesting.Integer(random)}\n" : "version: 1\n").Append(random.Next(12) == 0 ? "other:\n" : section + ":\n");
        foreach (string key in random.GetItems(keys, random.Next(1, 7)).Distinct())
        {
            text.Append(CultureInfo.InvariantCulture, $"  {key}:");
            (string dash, string indent) = lists.Contains(key) ? ("- ", "  ") : ("", "");
            if (random.Next(3) > 0) text.Append(CultureInfo.InvariantCulture, $" {Value(random, values)}\n");
            else text.Append(CultureInfo.InvariantCulture, $"\n    {dash}{string.Join("\n    " + indent, random.GetItems(parts, random.Next(1, 4)).Distinct().Select(part => $"{part}: {Value(random, values)}"))}\n");
        }
        if (random.Next(20) == 0) text.Append("  deep: ").Append(new string('[', 1 << random.Next(2, 15)));
        return Encoding.UTF8.GetBytes(random.Next(4) == 0 ? ArraySeeds.Text(text.ToString(), random) : text.ToString());
    }

    private static string Value(Random random, string[] values) => random.Next(4) == 0 ? Interesting.Integer(random).ToString(CultureInfo.InvariantCulture) : values[random.Next(values.Length)];
}
