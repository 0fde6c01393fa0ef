using Fewbit.Graphs;

namespace Fewbit.Models;

/// <summary>MobileNetV2, width 1.0: inverted residuals with depthwise convolutions and linear bottlenecks.</summary>
/// <remarks>Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018, arXiv:1801.04381; names as in torchvision.</remarks>
internal static class MobileNetV2
{
    private static readonly (int Expansion, int Channels, int Blocks, int Stride)[] s_stages =
        [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];

    /// <param name="input">Pictures [N, C, H, W].</param>
    /// <param name="classes">Outputs.</param>
    public static Value Build(Value input, int classes)
    {
        Value x = input.Conv("features.0.0", 32, 3, stride: 2).BatchNorm("features.0.1").Relu6();
        int index = 1;
        foreach ((int expansion, int channels, int blocks, int stride) in s_stages)
        {
            for (int block = 0; block < blocks; block++) x = InvertedResidual(x, $"features.{index++}.conv", expansion, channels, block == 0 ? stride : 1);
        }
        x = x.Conv($"features.{index}.0", 1280, 1).BatchNorm($"features.{index}.1").Relu6();
        return x.GlobalAveragePool().Flatten().Linear("classifier.1", classes);
    }

    private static Value InvertedResidual(Value x, string name, int expansion, int channels, int stride)
    {
        int inputs = (int)x.Shape![1].Length, hidden = inputs * expansion, next = 0;
        Value y = x;
        if (expansion > 1) y = y.Conv($"{name}.{next}.0", hidden, 1).BatchNorm($"{name}.{next++}.1").Relu6();
        y = y.Conv($"{name}.{next}.0", hidden, 3, stride, groups: hidden).BatchNorm($"{name}.{next++}.1").Relu6();
        y = y.Conv($"{name}.{next}", channels, 1).BatchNorm($"{name}.{next + 1}");
        return stride == 1 && inputs == channels ? x + y : y;
    }
}
