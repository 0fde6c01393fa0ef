using Fewbit.Graphs;

namespace Fewbit.Models;

/// <summary>Residual networks of 6n + 2 layers for pictures of 32 x 32, shortcuts without parameters (option A).</summary>
/// <remarks>He et al., "Deep Residual Learning for Image Recognition", 2015, arXiv:1512.03385, section 4.2.</remarks>
internal static class CifarResNet
{
    private const int Width = 16, Stages = 3;

    /// <param name="input">Pictures [N, C, H, W].</param>
    /// <param name="classes">Outputs.</param>
    /// <param name="depth">Layers with weights, 6n + 2.</param>
    public static Value Build(Value input, int classes, int depth)
    {
        Value x = input.Conv("conv1", Width, 3).BatchNorm("bn1").Relu();
        for (int stage = 0; stage < Stages; stage++)
        {
            for (int block = 0; block < (depth - 2) / 6; block++) x = Block(x, $"layer{stage + 1}.{block}", Width << stage, stage > 0 && block == 0 ? 2 : 1);
        }
        return x.GlobalAveragePool().Flatten().Linear("linear", classes);
    }

    private static Value Block(Value x, string name, int width, int stride)
    {
        Value y = x.Conv($"{name}.conv1", width, 3, stride).BatchNorm($"{name}.bn1").Relu();
        y = y.Conv($"{name}.conv2", width, 3).BatchNorm($"{name}.bn2");
        return (y + (stride == 1 ? x : Narrowed(x, width))).Relu();
    }

    /// <summary>Every second pixel, and zeros for the new channels, half of them on each side.</summary>
    private static Value Narrowed(Value x, int width)
    {
        long added = (width - x.Shape![1].Length) / 2;
        return x.Slice(2, 0, step: 2).Slice(3, 0, step: 2).Pad([0, added, 0, 0], [0, added, 0, 0]);
    }
}
