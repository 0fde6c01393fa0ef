using Fewbit.Graphs;

namespace Fewbit.Models;

/// <summary>A residual network of ten layers for pictures of 32 x 32, small enough to train in a minute: the demonstration's.</summary>
internal static class TinyResNet
{
    private static readonly int[] s_widths = [12, 24, 32];

    /// <param name="input">Pictures [N, C, H, W].</param>
    /// <param name="classes">Outputs.</param>
    public static Value Build(Value input, int classes)
    {
        Value x = input;
        for (int stage = 0; stage < s_widths.Length; stage++)
        {
            (string name, int width) = ($"layer{stage + 1}", s_widths[stage]);
            x = x.Conv($"{name}.down", width, 3, stride: 2).BatchNorm($"{name}.bn").Relu();
            Value y = x.Conv($"{name}.conv1", width, 3).BatchNorm($"{name}.bn1").Relu();
            x = (y.Conv($"{name}.conv2", width, 3).BatchNorm($"{name}.bn2") + x).Relu();
        }
        return x.GlobalAveragePool().Flatten().Linear("linear", classes);
    }
}
