using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Tensors;

namespace Fewbit.Tests.Quantization;

public sealed class LayerOverrideTests
{
    private static readonly IntegerFormat s_uint4 = IntegerFormat.Parse("uint4");

    /// <summary>stem, two convolutions with a sum around them, a head.</summary>
    private static Graph Residual()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 3, 8, 8);
        Value a = x.Conv("stem", 8).Named("Relu", "stem/relu");
        Value b = a.Conv("block.conv1", 8, seed: 3).Named("Relu", "relu1").Conv("block.conv2", 8, seed: 5);
        Value sum = b.Named("Add", "add", null, a).Named("Relu", "relu2");
        sum.Named("GlobalAveragePool", "pool").Named("Flatten", "flatten").Named("Gemm", "head", null, graph.AddConstant("w", SmallGraphs.Random([8, 4], 9))).Returns();
        return graph;
    }

    private static QuantizationOptions With(params LayerOverride[] overrides) => new() { Overrides = overrides };

    private static Dictionary<string, string> WeightsOf(QuantizationResult result) => result.Report.Weights.ToDictionary(weight => weight.Node, weight => weight.Format.Name);

    [Fact]
    public void RunAsync_WeightsOfOneLayer_ChangeThatLayerAlone()
    {
        QuantizationResult result = SmallGraphs.Quantize(Residual(), With(new LayerOverride { Layers = "block.conv2", Weights = s_uint4 })), plain = SmallGraphs.Quantize(Residual());
        Assert.Equal([("stem", "int8"), ("block.conv1", "int8"), ("block.conv2", "uint4"), ("head", "int8")], WeightsOf(result).Select(pair => (pair.Key, pair.Value)));
        Assert.Equal("uint4 weights, uint8 activations", result.Node("block.conv2").Requested);
        foreach (Value constant in plain.Model.Constants.Where(constant => !constant.Name.StartsWith("block.conv2", StringComparison.Ordinal)))
            Assert.True(constant.Constant!.Bytes.SequenceEqual(result.Model.Find(constant.Name)!.Constant!.Bytes), constant.Name);
    }

    [Fact]
    public void RunAsync_SeveralOverrides_TheLastDecidesEachField()
    {
        LayerOverride[] overrides =
        [
            new() { Layers = "*", Weights = s_uint4, WeightGranularity = WeightGranularity.PerTensor },
            new() { Layers = "block.conv?", Weights = IntegerFormat.Parse("int6"), Exclude = true },
            new() { Layers = "block.conv1", Exclude = false },
        ];
        QuantizationResult result = SmallGraphs.Quantize(Residual(), With(overrides));
        Assert.Equal([("stem", "uint4"), ("block.conv1", "int6"), ("head", "uint4")], WeightsOf(result).Select(pair => (pair.Key, pair.Value)));
        Assert.All(result.Report.Weights, weight => Assert.Equal(Granularity.PerTensor, weight.Granularity));
        Assert.Equal((NodeOutcome.Float, "excluded"), (result.Node("block.conv2").Outcome, result.Node("block.conv2").Reason));
        Assert.Empty(result.Report.Warnings);
    }

    [Fact]
    public void RunAsync_NameWithASign_IsThatNodeAlone()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 3, 8, 8);
        x.Conv("a*", 4).Conv("ab", 4).Returns();
        QuantizationResult result = SmallGraphs.Quantize(graph, With(new LayerOverride { Layers = "a*", Weights = s_uint4 }) with { QuantizeOutputs = true });
        Assert.Equal([("a*", "uint4"), ("ab", "int8")], WeightsOf(result).Select(pair => (pair.Key, pair.Value)));
    }

    [Fact]
    public void Find_ActivationsOfReaders_TakeTheMostBits()
    {
        Graph prepared = Preparation.Prepare(Residual());
        string[] Of(params LayerOverride[] overrides) => [.. QuantizerSites.Find(prepared, With(overrides)).Activations.Select(site => $"{site.Value.Name} {site.Format}")];
        Assert.Equal(["input uint8", "stem/relu/out uint4", "relu1/out uint8", "block.conv2/out uint8", "relu2/out uint8", "pool/out uint8"], Of(new LayerOverride { Layers = "block.conv1", Activations = s_uint4 }));
        // The stem's result goes into the sum too.
        LayerOverride sum = new() { Layers = "add", Activations = IntegerFormat.Parse("uint6") };
        Assert.Equal(["input uint8", "stem/relu/out uint6", "relu1/out uint8", "block.conv2/out uint6", "relu2/out uint8", "pool/out uint8"], Of(new LayerOverride { Layers = "block.conv1", Activations = s_uint4 }, sum));
        Assert.Equal(["input uint4", "stem/relu/out uint8", "relu1/out uint8", "block.conv2/out uint8", "relu2/out uint4", "pool/out uint8"], Of(new LayerOverride { Layers = "stem", Activations = s_uint4 }, new LayerOverride { Layers = "head", Activations = s_uint4 }));
    }

    [Fact]
    public void RunAsync_Ranges_HoldForTheLayersNamed()
    {
        LayerOverride layer = new() { Layers = "block.conv2", ActivationRange = RangeRule.Percentile(90), Weights = s_uint4, WeightRange = RangeRule.MinMax };
        QuantizationResult result = SmallGraphs.Quantize(Residual(), With(layer)), plain = SmallGraphs.Quantize(Residual());
        foreach ((TensorReport ours, TensorReport usual) in result.Report.Tensors.Zip(plain.Report.Tensors))
        {
            if (ours.Name == "relu1/out") Assert.InRange(ours.Scale, 0.1f * usual.Scale, 0.9f * usual.Scale);
            else Assert.Equal(usual, ours);
        }
        float[] weights = result.FloatModel.Find("block.conv2.weight")!.Constant!.Span<float>()[..72].ToArray();
        Assert.Equal((weights.Max() - weights.Min()) / 15, result.Model.Find("block.conv2.weight_scale")!.Constant!.Span<float>()[0], 1e-8f);
    }

    [Fact]
    public void RunAsync_LearnedMethod_LearnsEachLayerInItsFormat()
    {
        LayerOverride[] overrides = [new() { Layers = "block.conv1", Weights = IntegerFormat.Parse("uint2"), Activations = s_uint4 }, new() { Layers = "block.*", WeightRange = RangeRule.MinMax, ActivationRange = RangeRule.MinMax }];
        QuantizationResult result = SmallGraphs.Quantize(Residual(), With(overrides) with { Method = RoundingMethod.QDrop, Learning = new() { Iterations = 2 } });
        Assert.Equal([("stem", "int8"), ("block.conv1", "uint2"), ("block.conv2", "int8"), ("head", "int8")], WeightsOf(result).Select(pair => (pair.Key, pair.Value)));
        Assert.Equal("uint4", result.Report.Tensors.Single(tensor => tensor.Name == "stem/relu/out").Format.Name);
        // 2 bits from end to end: the search of the method would clip.
        float[] weights = result.FloatModel.Find("block.conv1.weight")!.Constant!.Span<float>()[..72].ToArray();
        Assert.Equal((weights.Max() - weights.Min()) / 3, result.Model.Find("block.conv1.weight_scale")!.Constant!.Span<float>()[0], 1e-7f);
    }

    [Fact]
    public async Task Quantize_OtherOptions_NeedNoNewCalibration()
    {
        Graph graph = Residual();
        int batches = 0;
        IEnumerable<IReadOnlyDictionary<string, Tensor>> Data() => Enumerable.Range(0, 16).Select(seed => SmallGraphs.Batch(graph, seed, 4)).Select(batch => { batches++; return batch; });
        CalibratedModel calibrated = await CalibratedModel.CreateAsync(graph, Data().ToAsyncEnumerable(), new QuantizationOptions().Resolve(), null, CancellationToken.None);
        foreach (string format in (string[])["uint4", "int8", "uint2"])
        {
            QuantizationOptions options = With(new LayerOverride { Layers = "block.conv1", Weights = IntegerFormat.Parse(format), Activations = s_uint4 }, new LayerOverride { Layers = "head", Exclude = true }).Resolve();
            QuantizationResult quick = calibrated.Quantize(options, GivenQuantizers.None, []), anew = SmallGraphs.Quantize(graph, options);
            Assert.Equal(anew.Model.Constants.Select(value => value.Name), quick.Model.Constants.Select(value => value.Name));
            Assert.All(anew.Model.Constants, value => Assert.True(value.Constant!.Bytes.SequenceEqual(quick.Model.Find(value.Name)!.Constant!.Bytes), value.Name));
        }
        Assert.Equal(16, batches);
        Assert.Contains("another range rule of", Assert.Throws<InvalidOperationException>(() => calibrated.Quantize(new QuantizationOptions { ActivationRange = RangeRule.MinMax }.Resolve(), GivenQuantizers.None, [])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RunAsync_OverrideOfNoNode_NamesTheClosest()
    {
        string Message(LayerOverride layer) => Assert.Throws<ArgumentException>(() => SmallGraphs.Quantize(Residual(), With(layer))).Message;
        Assert.StartsWith("the model has no node 'block.conv3' to override; the closest are 'block.conv1', 'block.conv2' and ", Message(new() { Layers = "block.conv3" }), StringComparison.Ordinal);
        Assert.StartsWith("the model has no node 'layer?.*' to override; the closest are ", Message(new() { Layers = "layer?.*", Exclude = true }), StringComparison.Ordinal);
        Assert.StartsWith("the override of 'stem' is for activations, which stay float",
            Assert.Throws<ArgumentException>(() => SmallGraphs.Quantize(Residual(), With(new LayerOverride { Layers = "stem", Activations = s_uint4 }) with { Activations = null })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RunAsync_OverrideThatChangesNothing_IsReported()
    {
        QuantizationResult result = SmallGraphs.Quantize(Residual(), With(new LayerOverride { Layers = "relu?", Weights = s_uint4 }));
        Assert.Contains("the override of 'relu?' has no effect: none of its nodes has a weight that is quantized", result.Report.Warnings);
    }
}
