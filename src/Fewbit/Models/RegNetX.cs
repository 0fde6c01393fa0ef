using Fewbit.Graphs;

namespace Fewbit.Models;

/// <summary>RegNetX: residual bottlenecks of constant width with grouped 3x3 convolutions.</summary>
/// <remarks>Radosavovic et al., "Designing Network Design Spaces", 2020, arXiv:2003.13678; names as in torchvision.</remarks>
internal static class RegNetX
{
    /// <param name="input">Pictures [N, C, H, W].</param>
    /// <param name="classes">Outputs.</param>
    /// <param name="stages">Blocks and channels of each stage.</param>
    /// <param name="groupWidth">Channels of a group of the 3x3 convolutions.</param>
    public static Value Build(Value input, int classes, (int Blocks, int Channels)[] stages, int groupWidth)
    {
        Value x = input.Conv("stem.0", 32, 3, stride: 2).BatchNorm("stem.1").Relu();
        foreach ((int stage, (int blocks, int channels)) in stages.Index())
        {
            for (int block = 0; block < blocks; block++)
                x = Block(x, $"trunk_output.block{stage + 1}.block{stage + 1}-{block}", channels, block == 0 ? 2 : 1, channels / groupWidth);
        }
        return x.GlobalAveragePool().Flatten().Linear("fc", classes);
    }

    private static Value Block(Value x, string name, int channels, int stride, int groups)
    {
        Value y = x.Conv($"{name}.f.a.0", channels, 1).BatchNorm($"{name}.f.a.1").Relu();
        y = y.Conv($"{name}.f.b.0", channels, 3, stride, groups).BatchNorm($"{name}.f.b.1").Relu();
        y = y.Conv($"{name}.f.c.0", channels, 1).BatchNorm($"{name}.f.c.1");
        Value shortcut = stride == 1 && x.Shape![1] == channels ? x : x.Conv($"{name}.proj.0", channels, 1, stride).BatchNorm($"{name}.proj.1");
        return (shortcut + y).Relu();
    }
}
