using Fewbit.Graphs.Execution;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Tests.Operators;

public sealed class BlockedConvBackwardTests
{
    [Theory]
    [InlineData(1, false)]
    [InlineData(1, true)]
    [InlineData(2, false)]
    public void Run_OnBlocks_EqualsRowMajor(long stride, bool allowsWinograd)
    {
        if (KernelPaths.Best < KernelPath.Avx512) return;
        long side = (12 - 1) / stride + 1;
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float32, [2, 20, 12, 12]), dy = graph.AddInput("dy", ElementType.Float32, [2, 40, side, side]), added = graph.AddInput("added", ElementType.Float32, [2, 20, 12, 12]);
        Value w = graph.AddInput("w", ElementType.Float32, [40, 20, 3, 3]);
        Attributes Geometry() => new() { { "pads", (long[])[1, 1, 1, 1] }, { "strides", (long[])[stride, stride] }, { "winograd", allowsWinograd ? 1L : 0L } };
        Value shapeOfX = graph.AddConstant("shape", Tensor.From<long>([2, 20, 12, 12])), shapeOfW = graph.AddConstant("shape", Tensor.From<long>([40, 20, 3, 3]));
        Value[] plain = [dy.Apply("ai.fewbit", "ConvBackwardData", Geometry(), w, shapeOfX, added), x.Apply("ai.fewbit", "ConvBackwardWeights", Geometry(), dy, shapeOfW)];
        Value blockedData = ToBlocks(dy).Apply("ai.fewbit", "ConvBackwardData", Geometry(), w, shapeOfX, ToBlocks(added));
        blockedData.Layout = Layout.ChannelBlocks16;
        Value[] blocked = [blockedData.Apply("ai.fewbit", "Reorder", []), ToBlocks(x).Apply("ai.fewbit", "ConvBackwardWeights", Geometry(), ToBlocks(dy), shapeOfW)];
        foreach (Value value in plain.Concat(blocked)) graph.AddOutput(value);
        var inputs = new Dictionary<string, Tensor>
        {
            ["x"] = OneNode.Numbers(1, 2, 20, 12, 12),
            ["dy"] = OneNode.Numbers(2, 2, 40, side, side),
            ["added"] = OneNode.Numbers(3, 2, 20, 12, 12),
            ["w"] = OneNode.Numbers(4, 40, 20, 3, 3),
        };
        Plan plan = Plan.Compile(graph, new() { Inputs = inputs.ToDictionary(pair => pair.Key, pair => pair.Value.Shape) });
        plan.Run(inputs);
        for (int i = 0; i < plain.Length; i++)
        {
            float[] expected = plan.Output(plain[i].Name).Span<float>().ToArray(), actual = plan.Output(blocked[i].Name).Span<float>().ToArray();
            float largest = expected.Max(MathF.Abs);
            Assert.All(expected.Zip(actual), pair => Assert.True(MathF.Abs(pair.First - pair.Second) <= 2e-5f * largest));
        }
    }

    [Fact]
    public void Gradient_OfWhatIsAdded_EqualsFiniteDifferences() => GradientCheck.Run(
        x => x[0].Apply("ai.fewbit", "ConvBackwardData", new Attributes { { "pads", (long[])[1, 1, 1, 1] } }, x[1], x[0].Graph.AddConstant("shape", Tensor.From<long>([1, 2, 4, 4])), x[2]),
        GradientCheck.Random([1, 3, 4, 4], 1), GradientCheck.Random([3, 2, 3, 3], 2), GradientCheck.Random([1, 2, 4, 4], 3));

    private static Value ToBlocks(Value value)
    {
        Value blocks = value.Apply("ai.fewbit", "Reorder", []);
        blocks.Layout = Layout.ChannelBlocks16;
        return blocks;
    }
}
