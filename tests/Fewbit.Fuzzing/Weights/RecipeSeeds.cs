using System.Globalization;
using System.Text;
using Fewbit.Fuzzing.Data;

namespace Fewbit.Fuzzing.Weights;

/// <summary>Recipes of training in YAML: known keys with any value, lists, maps, anchors, nesting.</summary>
internal static class RecipeSeeds
{
    private static readonly string[] Keys =
    [
        "model", "weights", "classes", "input-size", "data", "validation-share", "preprocess", "batch", "drop-last", "seed", "epochs", "steps-per-epoch", "clip-norm", "clip-value", "average-decay",
        "freeze-batch-norm", "recompute-activations", "keep", "other", "optimizer", "schedule", "groups", "loss", "augment",
    ];

    private static readonly string[] Parts = ["name", "learning-rate", "momentum", "weight-decay", "nesterov", "beta1", "epsilon", "every", "gamma", "milestones", "end", "unit", "warm-up-steps", "label-smoothing", "crop-padding", "flip", "mixup-alpha", "cutout-side"];
    private static readonly string[] Values = ["1", "0.1", "-1", "1e999", "nan", ".inf", "99999999999999999999", "true", "adamw", "cosine", "multi-step", "plateau", "cifar", "[1, 2]", "[]", "{}", "~", "''", "\"a\\nb\"", "&a 1", "*a", "!!binary aa", "|", ">-", "- - -", "resnet20", "epoch", "mse"];

    public static byte[] Create(Random random, bool isDeep)
    {
        if (!isDeep) return Encoding.UTF8.GetBytes("version: 1\ntraining:\n  model: resnet20\n  epochs: 20\n  optimizer: { name: sgd, learning-rate: 0.1, momentum: 0.9 }\n  schedule: cosine\n  augment: cifar\n  groups:\n    - names: \"*.bias\"\n      weight-decay: 0\n");
        var text = new StringBuilder(random.Next(9) == 0 ? $"version: {Interesting.Integer(random)}\n" : "version: 1\n").Append(random.Next(12) == 0 ? "other:\n" : "training:\n");
        foreach (string key in random.GetItems(Keys, random.Next(1, 7)).Distinct())
        {
            text.Append(CultureInfo.InvariantCulture, $"  {key}:");
            if (random.Next(3) > 0) text.Append(CultureInfo.InvariantCulture, $" {Value(random)}\n");
            else text.Append(CultureInfo.InvariantCulture, $"\n    {(key == "groups" ? "- " : "")}{string.Join("\n    " + (key == "groups" ? "  " : ""), random.GetItems(Parts, random.Next(1, 4)).Distinct().Select(part => $"{part}: {Value(random)}"))}\n");
        }
        if (random.Next(20) == 0) text.Append("  deep: ").Append(new string('[', 1 << random.Next(2, 15)));
        return Encoding.UTF8.GetBytes(random.Next(4) == 0 ? ArraySeeds.Text(text.ToString(), random) : text.ToString());
    }

    private static string Value(Random random) => random.Next(4) == 0 ? Interesting.Integer(random).ToString(CultureInfo.InvariantCulture) : Values[random.Next(Values.Length)];
}
