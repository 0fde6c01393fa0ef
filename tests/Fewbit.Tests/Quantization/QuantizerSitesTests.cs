using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Tensors;

namespace Fewbit.Tests.Quantization;

public sealed class QuantizerSitesTests
{
    private static readonly QuantizationOptions s_low = new() { Weights = IntegerFormat.Parse("uint2"), Activations = IntegerFormat.Parse("uint4") };

    private static Graph Residual()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 3, 8, 8);
        Value a = x.Conv("stem", 8).Named("Relu", "stem/relu");
        Value b = a.Conv("conv1", 8, seed: 3).Named("Relu", "relu1").Conv("conv2", 8, seed: 5);
        Value sum = b.Named("Add", "add", null, a).Named("Relu", "relu2");
        sum.Named("GlobalAveragePool", "pool").Named("Flatten", "flatten").Named("Gemm", "head", null, graph.AddConstant("w", SmallGraphs.Random([8, 4], 9))).Returns();
        return graph;
    }

    private static string[] Of(QuantizerSites sites) => [.. sites.Activations.Select(site => $"{site.Value.Name} {site.Format}")];

    [Fact]
    public void Find_Paper_LeavesInputSumOperandAndOutputFloat()
    {
        var sites = QuantizerSites.Find(Preparation.Prepare(Residual()), s_low with { Placement = QuantizerPlacement.Paper });
        Assert.Equal(["stem/relu/out uint4", "relu1/out uint4", "relu2/out uint8"], Of(sites));
        Assert.Equal(["stem int8 narrow 0", "conv1 uint2 0", "conv2 uint2 0", "head int8 narrow 1"], sites.Weights.Select(site => $"{site.Node.Name} {site.Format} {site.Axis}"));
        Assert.Equal([QuantizationScheme.Symmetric, QuantizationScheme.Affine], sites.Weights.Take(2).Select(site => site.Scheme));
    }

    [Fact]
    public void Find_FirstAndLastByOption_KeepTheirBits()
    {
        Graph prepared = Preparation.Prepare(Residual());
        QuantizationOptions paper = s_low with { Placement = QuantizerPlacement.Paper, KeepFirstOutputAt8Bits = true, KeepLastInputAt8Bits = false };
        Assert.Equal(["stem/relu/out uint8", "relu1/out uint4", "relu2/out uint4"], Of(QuantizerSites.Find(prepared, paper)));
        Assert.All(QuantizerSites.Find(prepared, paper with { KeepEdgesAt8Bits = false }).Weights, site => Assert.Equal("uint2", site.Format.Name));
    }

    [Fact]
    public void Find_Deploy_Adds8BitQuantizersForIntegerExecution()
    {
        var sites = QuantizerSites.Find(Preparation.Prepare(Residual()), s_low);
        Assert.Equal(["input uint8", "stem/relu/out uint4", "relu1/out uint4", "conv2/out uint8", "relu2/out uint8", "pool/out uint8"], Of(sites));
        Assert.Equal(["input", "conv2/out", "pool/out"], sites.Activations.Where(site => !site.IsPaperSite).Select(site => site.Value.Name));
    }

    [Fact]
    public void Find_FloatActivations_HasWeightsOnly()
    {
        var sites = QuantizerSites.Find(Preparation.Prepare(Residual()), s_low with { Activations = null });
        Assert.Empty(sites.Activations);
        Assert.Equal(4, sites.Weights.Count);
    }

    [Fact]
    public void Find_ThreeWayAddAndConcat_LooksThroughThem()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 4, 8, 8);
        Value a = x.Conv("a", 4, seed: 1), b = x.Conv("b", 4, seed: 2), c = x.Conv("c", 4, seed: 3);
        Value sum = a.Named("Add", "sum1", null, b).Named("Add", "sum2", null, c).Named("Relu", "relu");
        Value join = sum.Conv("d", 4, seed: 4).Named("Concat", "join", new() { { "axis", 1 } }, sum.Conv("e", 4, seed: 5).Named("Relu", "relu_e"));
        join.Conv("f", 2, seed: 6).Returns();
        var sites = QuantizerSites.Find(Preparation.Prepare(graph), s_low with { Placement = QuantizerPlacement.Paper, KeepLastInputAt8Bits = false });
        Assert.Equal(["relu/out", "d/out", "relu_e/out"], sites.Activations.Select(site => site.Value.Name));
    }

    [Fact]
    public void Build_AllSites_ComputesWithRoundedNumbers()
    {
        Graph prepared = Preparation.Prepare(Residual());
        var sites = QuantizerSites.Find(prepared, s_low);
        var weights = sites.Weights.ToDictionary(site => site.Node.Name, site => SimulatedGraph.Nearest(site, ChannelRanges(site)));
        var activations = sites.Activations.ToDictionary(site => site.Value.Name, site => QuantizationParameters.FitTensor(new(0, 1), site.Format, QuantizationScheme.Affine));
        Graph simulated = SimulatedGraph.Build(prepared, sites, activations, weights);
        Assert.Equal(sites.Activations.Count, simulated.Nodes.Count(node => node.OpType == "FakeQuantize"));
        Assert.True(simulated.Find(SimulatedGraph.ScaleName(sites.Activations[1]))!.IsVariable);
        float[] expected = SmallGraphs.Run(prepared), actual = SmallGraphs.Run(simulated);
        Assert.NotEqual(expected, actual);
        Assert.Equal(expected, SmallGraphs.Run(SimulatedGraph.Build(prepared, sites, new Dictionary<string, QuantizationParameters>(), new Dictionary<string, Tensor>())));
    }

    private static QuantizationParameters ChannelRanges(WeightSite site)
    {
        int channels = (int)site.Weight.Constant!.Shape[site.Axis];
        return new(site.Format, Granularity.PerChannel(site.Axis), [.. Enumerable.Repeat(0.1f, channels)], new int[channels]);
    }
}
