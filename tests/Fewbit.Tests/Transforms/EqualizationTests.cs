using Fewbit.Graphs;
using Fewbit.Tensors;
using Fewbit.Tests.Quantization;
using Fewbit.Transforms;

namespace Fewbit.Tests.Transforms;

public sealed class EqualizationTests
{
    private static Graph Plain(string activation = "Relu", int group = 1)
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 4, 8, 8);
        x.Conv("first", 8).Named(activation, "activation").Conv("second", 8, seed: 3, group: group).Named("Relu", "relu").Conv("third", 4, 1, seed: 5).Returns();
        return graph;
    }

    private static TransformReport Equalize(Graph graph, EqualizeLayers? options = null, KeptBatches? samples = null) => LayerEqualizer.Run(graph, options ?? new(), samples ?? KeptBatches.None);

    /// <summary>Multiplies the weights and biases of single channels, so that there is work.</summary>
    private static void Spoil(Graph graph, string node, params float[] factors)
    {
        Node layer = graph.Nodes.Single(candidate => candidate.Name == node);
        foreach (Value value in layer.Inputs.Skip(1).OfType<Value>())
        {
            Tensor tensor = value.Constant!;
            Span<float> values = tensor.Span<float>();
            int inner = values.Length / (int)tensor.Shape[0];
            for (int i = 0; i < values.Length; i++) values[i] *= factors[i / inner % factors.Length];
        }
    }

    private static void AssertSameFunction(Graph expected, Graph found)
    {
        float[] a = SmallGraphs.Run(expected), b = SmallGraphs.Run(found);
        Assert.InRange(a.Zip(b, (x, y) => MathF.Abs(x - y)).Max() / a.Max(MathF.Abs), 0, 1e-5);
    }

    private static void AssertEqualRanges(Graph graph, string source, params string[] readers)
    {
        Node Of(string name) => graph.Nodes.Single(node => node.Name == name);
        double[] written = new ScaledLayer(Of(source)).OutputRanges();
        double[][] read = [.. readers.Select(reader => new ScaledLayer(Of(reader)).InputRanges((int)new LayerChannels(Of(reader)).Inputs / written.Length))];
        for (int c = 0; c < written.Length; c++) Assert.Equal(1, written[c] / read.Max(ranges => ranges[c]), 1e-4);
    }

    [Theory]
    [InlineData("Relu", 1)]
    [InlineData("LeakyRelu", 2)]
    [InlineData("Relu", 8)]
    [InlineData("GlobalAveragePool", 4)]
    public void Run_LayersWithUnequalChannels_KeepsTheFunctionAndMakesRangesEqual(string activation, int group)
    {
        Graph graph = Plain(activation, group);
        Spoil(graph, "first", 16, 0.1f, 1);
        Spoil(graph, "second", 0.05f, 3);
        Graph original = graph.Clone();
        TransformReport report = Equalize(graph);
        Assert.Equal(["first", "second"], report.Changes.Select(change => change.Node));
        Assert.Equal("'third/out' is an output of the model", Assert.Single(report.Skipped).Text);
        AssertSameFunction(original, graph);
        AssertEqualRanges(graph, "first", "second");
        AssertEqualRanges(graph, "second", "third");
    }

    [Fact]
    public void Run_Twice_LeavesTheWeightsOfTheFirstTime()
    {
        Graph graph = Plain();
        Spoil(graph, "first", 16, 0.1f, 1);
        Equalize(graph);
        Graph once = graph.Clone();
        Assert.Equal(1, Equalize(graph).Sweeps);
        foreach ((Value a, Value b) in once.Constants.Zip(graph.Constants)) Assert.All(a.Constant!.Span<float>().ToArray().Zip(b.Constant!.Span<float>().ToArray()), pair => Assert.Equal(pair.First, pair.Second, MathF.Abs(pair.First) * 1e-5f));
    }

    [Fact]
    public void Run_PReluMaxPoolFlattenGemm_KeepsTheFunctionAndMakesRangesEqual()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 3, 8, 8);
        Value y = x.Conv("conv", 4).Named("PRelu", "prelu", null, graph.AddConstant("slope", SmallGraphs.Random([4, 1, 1], 7)))
            .Named("MaxPool", "pool", new() { { "kernel_shape", new long[] { 2, 2 } }, { "strides", new long[] { 2, 2 } } }).Named("Flatten", "flatten");
        y = y.Named("Gemm", "hidden", new() { { "transB", 1L } }, graph.AddConstant("w1", SmallGraphs.Random([6, 64], 8)), graph.AddConstant("b1", SmallGraphs.Random([6], 9)));
        y.Named("Relu", "relu").Named("Gemm", "last", null, graph.AddConstant("w2", SmallGraphs.Random([6, 5], 10))).Returns();
        Spoil(graph, "conv", 30, 0.2f);
        Graph original = graph.Clone();
        Assert.Equal(["conv", "hidden"], Equalize(graph).Changes.Select(change => change.Node));
        AssertSameFunction(original, graph);
        AssertEqualRanges(graph, "conv", "hidden");
        AssertEqualRanges(graph, "hidden", "last");
    }

    [Fact]
    public void Run_TwoReaders_ShareTheFactors()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 3, 8, 8);
        Value squeezed = x.Conv("squeeze", 4, 1).Named("Relu", "relu");
        squeezed.Conv("small", 5, 1, seed: 2).Returns();
        squeezed.Conv("large", 5, 3, seed: 3).Returns();
        Spoil(graph, "squeeze", 30, 0.2f);
        Graph original = graph.Clone();
        Equalize(graph);
        AssertSameFunction(original, graph);
        AssertEqualRanges(graph, "squeeze", "small", "large");
    }

    [Fact]
    public void Run_ChannelOfZeros_IsLeft()
    {
        Graph graph = Plain();
        Spoil(graph, "first", 0, 1, 2, 3, 4, 5, 6, 7);
        Graph original = graph.Clone();
        Equalize(graph);
        AssertSameFunction(original, graph);
        Assert.All(graph.Constants, value => Assert.DoesNotContain(value.Constant!.Span<float>().ToArray(), number => !float.IsFinite(number)));
    }

    [Fact]
    public void Run_OtherReaders_SaysWhyNothingIsDone()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 4, 8, 8);
        Value a = x.Conv("swish", 4).Named("Sigmoid", "sigmoid").Conv("added", 4, seed: 2);
        Value b = a.Named("Relu", "relu");
        a.Named("Add", "sum", null, b).Conv("last", 4, seed: 3).Returns();
        TransformReport report = Equalize(graph);
        Assert.Empty(report.Changes);
        Assert.Equal(["Sigmoid 'sigmoid' reads it, which scaling channels does not pass through", "Add 'sum' reads it, which scaling channels does not pass through", "'last/out' is an output of the model"],
            report.Skipped.Select(note => note.Text));
    }

    [Fact]
    public void Run_SharedWeight_IsLeft()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 4, 8, 8);
        Value first = x.Conv("first", 4).Named("Relu", "relu");
        first.Named("Conv", "second", new() { { "pads", new long[] { 1, 1, 1, 1 } } }, graph.Find("first.weight")).Returns();
        Assert.Contains(Equalize(graph).Skipped, note => note is { Node: "first", Text: "the weight of Conv 'first' is read elsewhere too" });
    }

    [Fact]
    public async Task Run_Relu6_IsReplacedAtItsMeasuredCostOrStays()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 4, 8, 8);
        x.Conv("first", 8).Named("Clip", "clip", null, graph.AddConstant("low", Tensor.Scalar(0f)), graph.AddConstant("high", Tensor.Scalar(0.5f))).Conv("second", 4, seed: 3).Returns();
        KeptBatches samples = await KeptBatches.ReadAsync(Enumerable.Range(0, 4).Select(seed => SmallGraphs.Batch(graph, seed)).ToAsyncEnumerable().GetAsyncEnumerator(), 6, default);
        Assert.Equal(6, samples.SampleCount);

        Graph kept = graph.Clone();
        TransformReport none = Equalize(kept);
        Assert.Equal(("clip", "without calibration data the cost of a Relu in its place is not known"), (none.Skipped[0].Node, none.Skipped[0].Text));
        Assert.Empty(none.Changes);
        TransformReport refused = Equalize(kept, new() { LargestClipCost = 1e-3 }, samples);
        Assert.Matches("^a Relu in its place would change 0\\.\\d+ of the float output on 6 samples, all such nodes together; the limit is 0.001$", refused.Skipped[0].Text);
        Assert.Contains(kept.Nodes, node => node.Is("Clip"));
        AssertSameFunction(graph, kept);

        Graph replaced = graph.Clone();
        TransformReport done = Equalize(replaced, new() { LargestClipCost = 10 }, samples);
        Assert.Equal(["clip", "first"], done.Changes.Select(change => change.Node));
        Assert.Equal(refused.ClipCost, done.ClipCost);
        Assert.InRange(done.ClipCost!.Value, 1e-3, 1);
        Assert.Equal(["Conv", "Relu", "Conv"], replaced.Nodes.Select(node => node.OpType));
    }
}
