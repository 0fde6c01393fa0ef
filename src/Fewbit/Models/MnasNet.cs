using Fewbit.Graphs;

namespace Fewbit.Models;

/// <summary>MNASNet-B1, width 1.0.</summary>
/// <remarks>Tan et al., "MnasNet: Platform-Aware Neural Architecture Search for Mobile", 2018, arXiv:1807.11626; names as in torchvision.</remarks>
internal static class MnasNet
{
    private static readonly (int Channels, int Kernel, int Stride, int Expansion, int Blocks)[] s_stages =
        [(24, 3, 2, 3, 3), (40, 5, 2, 3, 3), (80, 5, 2, 6, 3), (96, 3, 1, 6, 2), (192, 5, 2, 6, 4), (320, 3, 1, 6, 1)];

    /// <param name="input">Pictures [N, C, H, W].</param>
    /// <param name="classes">Outputs.</param>
    public static Value Build(Value input, int classes)
    {
        Value x = input.Conv("layers.0", 32, 3, stride: 2).BatchNorm("layers.1").Relu();
        x = x.Conv("layers.3", 32, 3, groups: 32).BatchNorm("layers.4").Relu();
        x = x.Conv("layers.6", 16, 1).BatchNorm("layers.7");
        foreach ((int stage, (int channels, int kernel, int stride, int expansion, int blocks)) in s_stages.Index())
        {
            for (int block = 0; block < blocks; block++) x = InvertedResidual(x, $"layers.{stage + 8}.{block}.layers", channels, kernel, block == 0 ? stride : 1, expansion);
        }
        x = x.Conv("layers.14", 1280, 1).BatchNorm("layers.15").Relu();
        return x.GlobalAveragePool().Flatten().Linear("classifier.1", classes);
    }

    private static Value InvertedResidual(Value x, string name, int channels, int kernel, int stride, int expansion)
    {
        int inputs = (int)x.Shape![1].Length, hidden = inputs * expansion;
        Value y = x.Conv($"{name}.0", hidden, 1).BatchNorm($"{name}.1").Relu();
        y = y.Conv($"{name}.3", hidden, kernel, stride, groups: hidden).BatchNorm($"{name}.4").Relu();
        y = y.Conv($"{name}.6", channels, 1).BatchNorm($"{name}.7");
        return stride == 1 && inputs == channels ? x + y : y;
    }
}
