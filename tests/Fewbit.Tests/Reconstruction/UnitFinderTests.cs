using Fewbit.Graphs;
using Fewbit.Models;
using Fewbit.Quantization;
using Fewbit.Reconstruction;
using Fewbit.Tensors;

namespace Fewbit.Tests.Reconstruction;

public sealed class UnitFinderTests
{
    private static IReadOnlyList<ReconstructionUnit> Units(Graph graph, UnitGranularity granularity = UnitGranularity.Blocks)
    {
        Graph prepared = Preparation.Prepare(graph);
        IReadOnlyList<ReconstructionUnit> units = UnitFinder.Find(prepared, prepared.Nodes.Where(node => OperatorRules.WeightOf(node) is not null), granularity);
        Check(prepared, units);
        return units;
    }

    /// <summary>Every node is in one unit, and each unit reads only what units before it compute.</summary>
    private static void Check(Graph graph, IReadOnlyList<ReconstructionUnit> units)
    {
        Assert.Equal(graph.Nodes.Count(ActivationFlow.IsReal), units.Sum(unit => unit.Nodes.Count));
        var known = graph.Inputs.ToHashSet();
        foreach (ReconstructionUnit unit in units)
        {
            Assert.All(unit.Inputs, input => Assert.Contains(input, known));
            known.UnionWith(unit.Outputs);
        }
        Assert.All(graph.Outputs, output => Assert.Contains(output, known));
    }

    private static int[] LayerCounts(IEnumerable<ReconstructionUnit> units) => [.. units.Select(unit => unit.Layers.Count).Where(count => count > 0)];

    [Theory]
    [InlineData("resnet20", 9)]
    [InlineData("resnet56", 27)]
    public void CifarResNet_Blocks_AreItsResidualBlocksAndTwoLayers(string name, int blocks)
    {
        IReadOnlyList<ReconstructionUnit> units = Units(Model(name));
        Assert.Equal([1, .. Enumerable.Repeat(2, blocks), 1], LayerCounts(units));
        // Each block is read through one cut and ends behind its activation.
        Assert.All(units.Where(unit => unit.Layers.Count == 2), unit => Assert.True(unit is { Inputs.Count: 1, Outputs: [{ Producer.OpType: "Relu" }] }, unit.ToString()));
    }

    [Fact]
    public void ResNet18_Blocks_HoldTheirShortcutConvolutions() =>
        Assert.Equal([1, 2, 2, 3, 2, 3, 2, 3, 2, 1], LayerCounts(Units(Model("resnet18"))));

    [Fact]
    public void MobileNetV2_Blocks_AreItsInvertedResiduals() =>
        Assert.Equal([1, 2, .. Enumerable.Repeat(3, 16), 1, 1], LayerCounts(Units(Model("mobilenetv2"))));

    [Fact]
    public void CifarResNet_Layers_AreSingleConvolutionsWithTheirActivations()
    {
        IReadOnlyList<ReconstructionUnit> units = Units(Model("resnet20"), UnitGranularity.Layers);
        Assert.All(LayerCounts(units), count => Assert.Equal(1, count));
        // The value that passes around the block's second convolution enters the unit that adds it.
        Assert.Contains(units, unit => unit.Layers.Count == 0 && unit.Inputs.Count == 2 && unit.Nodes.Any(node => node.OpType == "Add"));
    }

    [Fact]
    public void CifarResNet_RandomNames_GivesTheSameUnits()
    {
        Graph graph = Model("resnet20");
        int[] expected = LayerCounts(Units(graph));
        var random = new SeededRandom(3);
        foreach (Node node in graph.Nodes) node.Name = $"n{random.NextBits():x}";
        foreach (Value value in graph.Values.Where(value => !graph.Inputs.Contains(value) && !value.IsOutput).ToArray()) graph.Rename(value, $"v{random.NextBits():x}");
        Assert.Equal(expected, LayerCounts(Units(graph)));
    }

    [Fact]
    public void SqueezeAndExcitation_InsideAResidual_IsPartOfTheBlock()
    {
        var graph = new Graph();
        Value x = Conv(graph, Input(graph), 8).Relu();
        Value inner = Conv(graph, x, 16).Relu();
        Value gate = Conv(graph, Conv(graph, inner.GlobalAveragePool(), 4, 1).Relu(), 16, 1).Apply("Sigmoid");
        (Conv(graph, inner * gate, 8) + x).Relu().Returns("y");
        Assert.Equal([1, 4], LayerCounts(Units(graph)));
    }

    [Fact]
    public void SqueezeAndExcitation_BetweenLayers_LeavesThemSingle()
    {
        var graph = new Graph();
        Value x = Conv(graph, Input(graph), 8).Relu();
        Value gate = Conv(graph, Conv(graph, x.GlobalAveragePool(), 4, 1).Relu(), 8, 1).Apply("Sigmoid");
        Conv(graph, x * gate, 8).Returns("y");
        Assert.Equal([1, 1, 1, 1], LayerCounts(Units(graph)));
    }

    [Fact]
    public void Swish_BehindAConvolution_IsItsActivation()
    {
        var graph = new Graph();
        Value x = Conv(graph, Input(graph), 8);
        Conv(graph, x * x.Apply("Sigmoid"), 8).Returns("y");
        IReadOnlyList<ReconstructionUnit> units = Units(graph);
        Assert.Equal([1, 1], LayerCounts(units));
        Assert.Equal("Mul", units[0].Outputs[0].Producer!.OpType);
    }

    [Fact]
    public void Concat_OfBranches_MakesABlock()
    {
        var graph = new Graph();
        Value x = Conv(graph, Input(graph), 8).Relu();
        Value joined = Conv(graph, x, 4, 1).Relu().Concat(1, Conv(graph, Conv(graph, x, 4).Relu(), 4).Relu(), x.MaxPool(3, 1, 1));
        Conv(graph, joined, 8).Returns("y");
        Assert.Equal([1, 3, 1], LayerCounts(Units(graph)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ThreeWayAdd_AsOneNodeOrTwo_MakesABlock(bool isOneNode)
    {
        var graph = new Graph();
        Value x = Conv(graph, Input(graph), 8).Relu(), f = Conv(graph, x, 8), g = Conv(graph, x, 8);
        Conv(graph, (isOneNode ? x.Apply("Sum", f, g) : x + f + g).Relu(), 8).Returns("y");
        Assert.Equal([1, 2, 1], LayerCounts(Units(graph)));
    }

    [Fact]
    public void LongSkip_OverManyLayers_KeepsTheBlocksInside()
    {
        var graph = new Graph();
        Value x = Conv(graph, Input(graph), 8).Relu(), y = x;
        for (int i = 0; i < 7; i++) y = (Conv(graph, Conv(graph, y, 8).Relu(), 8) + y).Relu();
        Conv(graph, x.Concat(1, y), 8).Returns("y");
        Assert.Equal([1, 2, 2, 2, 2, 2, 2, 2, 1], LayerCounts(Units(graph)));
    }

    private static Graph Model(string name) => ReferenceModels.Find(name).Create();

    private static Value Input(Graph graph) => graph.AddInput("x", ElementType.Float32, [2, 3, 8, 8]);

    private static Value Conv(Graph graph, Value x, int channels, int kernel = 3)
    {
        Tensor weight = Tensor.Allocate(ElementType.Float32, [channels, x.Shape![1].Length, kernel, kernel]);
        weight.Span<float>().Fill(0.1f);
        long pad = kernel / 2;
        return x.Apply("Conv", new Attributes { { "pads", (long[])[pad, pad, pad, pad] } }, graph.AddConstant("w", weight));
    }
}
