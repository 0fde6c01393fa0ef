using Fewbit.Graphs;

namespace Fewbit.Models;

/// <summary>Residual networks for pictures of about 224 x 224.</summary>
/// <remarks>He et al., "Deep Residual Learning for Image Recognition", 2015, arXiv:1512.03385; layers and names as in torchvision (stride in the 3x3 convolution of a bottleneck).</remarks>
internal static class ResNet
{
    private static readonly int[] s_widths = [64, 128, 256, 512];

    /// <param name="input">Pictures [N, C, H, W].</param>
    /// <param name="classes">Outputs.</param>
    /// <param name="blocks">Residual blocks of each of the four stages.</param>
    /// <param name="isBottleneck">Whether a block is 1x1, 3x3, 1x1 with four times the width at its end.</param>
    public static Value Build(Value input, int classes, int[] blocks, bool isBottleneck)
    {
        Value x = input.Conv("conv1", 64, kernel: 7, stride: 2).BatchNorm("bn1").Relu().MaxPool(3, stride: 2, pad: 1);
        for (int stage = 0; stage < blocks.Length; stage++)
        {
            for (int block = 0; block < blocks[stage]; block++)
            {
                int stride = stage > 0 && block == 0 ? 2 : 1;
                string name = $"layer{stage + 1}.{block}";
                x = isBottleneck ? Bottleneck(x, name, s_widths[stage], stride) : Basic(x, name, s_widths[stage], stride);
            }
        }
        return x.GlobalAveragePool().Flatten().Linear("fc", classes);
    }

    private static Value Basic(Value x, string name, int width, int stride)
    {
        Value y = x.Conv($"{name}.conv1", width, 3, stride).BatchNorm($"{name}.bn1").Relu();
        y = y.Conv($"{name}.conv2", width, 3).BatchNorm($"{name}.bn2");
        return (y + Shortcut(x, name, width, stride)).Relu();
    }

    private static Value Bottleneck(Value x, string name, int width, int stride)
    {
        Value y = x.Conv($"{name}.conv1", width, 1).BatchNorm($"{name}.bn1").Relu();
        y = y.Conv($"{name}.conv2", width, 3, stride).BatchNorm($"{name}.bn2").Relu();
        y = y.Conv($"{name}.conv3", 4 * width, 1).BatchNorm($"{name}.bn3");
        return (y + Shortcut(x, name, 4 * width, stride)).Relu();
    }

    private static Value Shortcut(Value x, string name, int channels, int stride) =>
        stride == 1 && x.Shape![1] == channels ? x : x.Conv($"{name}.downsample.0", channels, 1, stride).BatchNorm($"{name}.downsample.1");
}
