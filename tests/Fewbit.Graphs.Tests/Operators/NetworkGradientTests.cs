using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Operators;

/// <summary>Gradient rules of convolutions, products, pooling, normalizations and resampling against central differences.</summary>
public sealed class NetworkGradientTests
{
    [Fact]
    public void Conv_GroupsAndBias_MatchesDifferencesTwice() => GradientCheck.RunTwice(
        v => v[0].Apply("Conv", new Attributes { { "group", 2 }, { "strides", new long[] { 2, 1 } }, { "pads", new long[] { 1, 0, 1, 1 } } }, v[1], v[2]),
        Random(1, 2, 4, 5, 4), Random(2, 4, 2, 3, 2), Random(3, 4));

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void ConvTranspose_OutputPadding_MatchesDifferences(long group) => GradientCheck.Run(
        v => v[0].Apply("ConvTranspose", new Attributes { { "group", group }, { "strides", new long[] { 2, 2 } }, { "pads", new long[] { 1, 0, 1, 0 } }, { "output_padding", new long[] { 1, 1 } } }, v[1], v[2]),
        Random(1, 2, 4, 3, 3), Random(2, 4, 3, 3, 2), Random(3, 3 * group));

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void Gemm_Transposed_MatchesDifferences(bool transposeA, bool transposeB) => GradientCheck.RunTwice(
        v => v[0].Apply("Gemm", new Attributes { { "transA", transposeA }, { "transB", transposeB }, { "alpha", 0.5f }, { "beta", 2f } }, v[1], v[2]),
        transposeA ? Random(1, 3, 4) : Random(1, 4, 3), transposeB ? Random(2, 5, 3) : Random(2, 3, 5), Random(3, 5));

    [Theory]
    [InlineData(new long[] { 2, 3, 4 }, new long[] { 4, 5 })]
    [InlineData(new long[] { 4 }, new long[] { 4, 5 })]
    [InlineData(new long[] { 3, 4 }, new long[] { 4 })]
    [InlineData(new long[] { 4 }, new long[] { 4 })]
    [InlineData(new long[] { 2, 1, 3, 4 }, new long[] { 3, 4, 2 })]
    public void MatMul_Broadcast_MatchesDifferences(long[] a, long[] b) => GradientCheck.RunTwice(v => v[0].Apply("MatMul", v[1]), Random(1, a), Random(2, b));

    [Theory]
    [InlineData("MaxPool")]
    [InlineData("AveragePool")]
    public void Pool_OverlappingWindows_MatchesDifferences(string opType) => GradientCheck.RunTwice(
        v => v[0].Apply(opType, new Attributes { { "kernel_shape", new long[] { 3, 2 } }, { "strides", new long[] { 2, 1 } }, { "pads", new long[] { 1, 0, 1, 1 } } }) * v[1],
        Random(1, 1, 2, 5, 4), Random(2, 1));

    [Theory]
    [InlineData("GlobalAveragePool")]
    [InlineData("GlobalMaxPool")]
    public void GlobalPool_MatchesDifferences(string opType) => GradientCheck.Run(v => v[0].Apply(opType), Random(1, 2, 3, 4, 5));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void BatchNormalization_BothModes_MatchesDifferences(bool trains) => GradientCheck.Run(
        v => v[0].Apply("BatchNormalization", new Attributes { { "training_mode", trains } }, v[1], v[2], trains ? v[0].Graph.AddConstant("m", Random(7, 3)) : v[3], trains ? v[0].Graph.AddConstant("v", GradientCheck.Random([3], 8, 0.5, 1)) : v[4]),
        trains ? [Random(1, 4, 3, 2, 2), Random(2, 3), Random(3, 3)] : [Random(1, 4, 3, 2, 2), Random(2, 3), Random(3, 3), Random(4, 3), GradientCheck.Random([3], 5, 0.5, 2)]);

    [Theory]
    [InlineData("LayerNormalization", 1)]
    [InlineData("LayerNormalization", -1)]
    [InlineData("RMSNormalization", -1)]
    public void LayerNormalization_MatchesDifferences(string opType, long axis)
    {
        long[] scale = axis == 1 ? [3, 4] : [4];
        Tensor[] inputs = opType[0] == 'L' ? [Random(1, 2, 3, 4), Random(2, scale), Random(3, scale)] : [Random(1, 2, 3, 4), Random(2, scale)];
        GradientCheck.Run(v => v[0].Apply(opType, new Attributes { { "axis", axis } }, v.AsSpan(1)), inputs);
    }

    [Fact]
    public void InstanceNormalization_MatchesDifferences() => GradientCheck.Run(v => v[0].Apply("InstanceNormalization", v[1], v[2]), Random(1, 2, 3, 4, 2), Random(2, 3), Random(3, 3));

    [Fact]
    public void GroupNormalization_MatchesDifferences() =>
        GradientCheck.Run(v => v[0].Apply("GroupNormalization", new Attributes { { "num_groups", 2 } }, v[1], v[2]), Random(1, 2, 4, 3, 2), Random(2, 4), Random(3, 4));

    [Fact]
    public void MeanVarianceNormalization_MatchesDifferences() => GradientCheck.Run(v => v[0].Apply("MeanVarianceNormalization"), Random(1, 2, 3, 4, 2));

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void LpNormalization_MatchesDifferences(long power) => GradientCheck.Run(v => v[0].Apply("LpNormalization", new Attributes { { "p", power }, { "axis", 1 } }), Random(1, 2, 5, 3));

    [Theory]
    [InlineData("nearest")]
    [InlineData("linear")]
    [InlineData("cubic")]
    public void Resize_OddFactors_MatchesDifferences(string mode) => GradientCheck.RunTwice(
        v => v[0].Apply("Resize", new Attributes { { "mode", mode } }, null, v[0].Graph.AddConstant("scales", Tensor.From(1f, 1f, 1.7f, 0.6f))), Random(1, 1, 2, 4, 5));

    private static Tensor Random(int seed, params long[] shape) => GradientCheck.Random(new(shape), seed);
}
