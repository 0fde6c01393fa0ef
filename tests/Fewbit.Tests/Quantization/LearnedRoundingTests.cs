using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Quantization;
using Fewbit.Tensors;
using Fewbit.Testing;

namespace Fewbit.Tests.Quantization;

public sealed class LearnedRoundingTests
{
    private static readonly IReadOnlyDictionary<string, Tensor>[] s_batches = [.. Enumerable.Range(0, 8).Select(seed => SmallGraphs.Batch(Network(), seed, 8))];

    /// <summary>A first convolution, a residual block, a classifier.</summary>
    private static Graph Network()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 3, 8, 8);
        Value a = x.Conv("stem", 16).Named("Relu", "stem/relu");
        Value b = a.Conv("conv1", 16, seed: 3).Named("Relu", "relu1").Conv("conv2", 16, seed: 5);
        b.Named("Add", "add", null, a).Named("Relu", "relu2").Named("GlobalAveragePool", "pool").Named("Flatten", "flatten")
            .Named("Gemm", "head", null, graph.AddConstant("w", SmallGraphs.Random([16, 4], 9, 0.5f)), graph.AddConstant("b", SmallGraphs.Random([4], 10))).Returns();
        return graph;
    }

    private static QuantizationOptions Options(RoundingMethod method, int iterations, string? activations = "uint4") => new()
    {
        Method = method, Weights = IntegerFormat.Parse("uint2"), Activations = activations is null ? null : IntegerFormat.Parse(activations),
        Learning = new() { Iterations = iterations, Seed = 3 },
    };

    private static Task<QuantizationResult> RunAsync(QuantizationOptions options, IProgress<QuantizationProgress>? progress = null, CancellationToken cancellation = default) =>
        Quantizer.For(Network()).Calibrate(s_batches, 64).RunAsync(options, progress, cancellation);

    private static int[] Codes(QuantizationResult result, string weight) => AffineQuantizer.Unpack(result.Model.Find(weight + "_quantized")!.Constant!);

    private static double Error(Graph model)
    {
        double sum = 0;
        for (int seed = 100; seed < 108; seed++)
        {
            (float[] expected, float[] actual) = (SmallGraphs.Run(Network(), seed), SmallGraphs.Run(model, seed));
            sum += expected.Zip(actual).Sum(pair => Math.Pow(pair.First - pair.Second, 2));
        }
        return sum;
    }

    [Theory]
    [InlineData(RoundingMethod.AdaRound, "brecq")]
    [InlineData(RoundingMethod.Brecq, "brecq")]
    [InlineData(RoundingMethod.QDrop, "qdrop")]
    public async Task RunAsync_NoSteps_IsNearestWithTheRangesOfThePaper(RoundingMethod method, string range)
    {
        QuantizationResult learned = await RunAsync(Options(method, 0, null)), nearest = await RunAsync(new()
        {
            Weights = IntegerFormat.Parse("uint2"), Activations = null, WeightRange = RangeRule.Parse(range),
        });
        foreach (string weight in (string[])["conv1.weight", "conv2.weight"]) Assert.Equal(Codes(nearest, weight), Codes(learned, weight));
        Assert.Empty(learned.Report.Units);
    }

    [Theory]
    [InlineData(RoundingMethod.AdaRound, QuantizerPlacement.Deploy)]
    [InlineData(RoundingMethod.Brecq, QuantizerPlacement.Paper)]
    [InlineData(RoundingMethod.QDrop, QuantizerPlacement.Deploy)]
    [InlineData(RoundingMethod.QDrop, QuantizerPlacement.Paper)]
    public async Task RunAsync_Learned_ErrsLessThanNearestOnOtherSamples(RoundingMethod method, QuantizerPlacement placement)
    {
        QuantizationOptions options = Options(method, 400) with { Placement = placement };
        QuantizationResult nearest = await RunAsync(options with { Learning = options.Learning with { Iterations = 0 } }), learned = await RunAsync(options);
        Assert.InRange(Error(learned.Model), 0, 0.8 * Error(nearest.Model));
        Assert.NotEmpty(learned.Report.Units);
        Assert.Equal("uint2", learned.Report.Weights.Single(weight => weight.Node == "conv1").Format.Name);
        Assert.Equal(method.ToString().ToLowerInvariant(), learned.Model.Metadata["fewbit.method"]);
    }

    [RuntimeFact]
    public async Task RunAsync_LearnedForDeployment_RunsInIntegersInTheRuntime()
    {
        IReadOnlyList<string> nodes = SmallGraphs.RuntimeNodes((await RunAsync(Options(RoundingMethod.QDrop, 20))).Model, out float difference);
        Assert.Equal(3, nodes.Count(node => node.EndsWith("QLinearConv", StringComparison.Ordinal)));
        Assert.DoesNotContain(nodes, node => node is "Conv" or "com.microsoft.FusedConv");
        Assert.InRange(difference, 0, 1e-5f);
    }

    [Theory]
    [InlineData(QuantizerPlacement.Deploy, 1)]
    [InlineData(QuantizerPlacement.Paper, 0)]
    public async Task RunAsync_Attention_LearnsWeightsAndLeavesProductsOfActivationsWithoutCodesToLearn(QuantizerPlacement placement, int quantizedInputs)
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 6, 16);
        Value Weight(string name, int seed) => graph.AddConstant(name, SmallGraphs.Random([16, 16], seed, 0.4f));
        Value q = x.Named("MatMul", "q", null, Weight("wq", 1)), k = x.Named("MatMul", "k", null, Weight("wk", 2)), v = x.Named("MatMul", "v", null, Weight("wv", 3));
        Value scores = q.Named("MatMul", "scores", null, k.Named("Transpose", "turn", new() { { "perm", new long[] { 0, 2, 1 } } })).Named("Softmax", "softmax", new() { { "axis", 2 } });
        scores.Named("MatMul", "mix", null, v).Named("MatMul", "out", null, Weight("wo", 4)).Named("Add", "add", null, x).Named("MatMul", "head", null, Weight("wh", 5)).Returns();
        QuantizationResult result = await Quantizer.For(graph).Calibrate(Enumerable.Range(0, 4).Select(seed => SmallGraphs.Batch(graph, seed, 8)))
            .RunAsync(Options(RoundingMethod.QDrop, 5) with { Placement = placement });
        Assert.Equal(5, result.Report.Weights.Count);
        Assert.Equal(quantizedInputs, result.Report.Tensors.Count(tensor => tensor.Name == "input"));
        Assert.Equal("uint4", result.Report.Tensors.Single(tensor => tensor.Name == "softmax/out").Format.Name);
        Assert.All(SmallGraphs.Run(result.Model), value => Assert.True(float.IsFinite(value)));
    }

    [Fact]
    public async Task RunAsync_FixedBatch_LearnsWithBatchesOfItsOwn()
    {
        Graph graph = SmallGraphs.Create(out Value x, 1, 3, 8, 8);
        x.Conv("a", 4).Named("Relu", "relu").Conv("b", 4, seed: 2).Named("GlobalAveragePool", "pool").Returns();
        QuantizationResult result = await Quantizer.For(graph).Calibrate(Enumerable.Range(0, 40).Select(seed => SmallGraphs.Batch(graph, seed))).RunAsync(Options(RoundingMethod.AdaRound, 5));
        Assert.Equal(2, result.Report.Weights.Count);
        Assert.All(result.Report.Units.Where(unit => unit.Pass == "weights"), unit => Assert.Equal(5, unit.Iterations));
        Assert.NotEmpty(result.Report.Units);
    }

    [Fact]
    public async Task RunAsync_StoppedAndContinued_WritesTheSameBytes()
    {
        string path = Path.Combine(Directory.CreateTempSubdirectory("fewbit-").FullName, "work.json");
        try
        {
            QuantizationOptions options = Options(RoundingMethod.Brecq, 60);
            byte[] expected = OnnxFile.ToBytes((await RunAsync(options)).Model);
            options = options with { Learning = options.Learning with { Checkpoint = path } };
            using var stop = new CancellationTokenSource();
            // The second unit is stopped at its first report, wherever that is.
            var progress = new Watcher(value =>
            {
                if (value.Learning is { UnitIndex: 1 }) stop.Cancel();
            });
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RunAsync(options, progress, stop.Token));
            Assert.True(File.Exists(path));
            Assert.Equal(expected, OnnxFile.ToBytes((await RunAsync(options)).Model));
            InvalidDataException other = await Assert.ThrowsAsync<InvalidDataException>(() => RunAsync(options with { Learning = options.Learning with { Seed = 4 } }));
            Assert.Contains(path, other.Message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
        }
    }

    [Fact]
    public async Task RunAsync_BatchesOfDifferentSizes_AreRefusedWithTheirShapes()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 3, "H", 8);
        x.Conv("a", 4).Named("Relu", "relu").Conv("b", 4).Named("GlobalAveragePool", "pool").Returns();
        var batches = new[] { 8, 6 }.Select(height => new Dictionary<string, Tensor> { ["input"] = SmallGraphs.Random([2, 3, height, 8], height) });
        ArgumentException problem = await Assert.ThrowsAsync<ArgumentException>(() => Quantizer.For(graph).Calibrate(batches).RunAsync(Options(RoundingMethod.AdaRound, 5)));
        Assert.Equal("batches give input 'input' tensors of shape [2, 3, 8, 8] and [2, 3, 6, 8]; learned rounding draws single samples, so all must be of one size", problem.Message);
    }

    [Fact]
    public async Task RunAsync_QuantizedOutputsWithoutIntegers_IsRefused()
    {
        ArgumentException problem = await Assert.ThrowsAsync<ArgumentException>(() => RunAsync(Options(RoundingMethod.Nearest, 0, null) with { QuantizeOutputs = true }));
        Assert.Equal("the outputs of the model cannot be quantized with float activations; leave QuantizeOutputs out", problem.Message);
    }

    private sealed class Watcher(Action<QuantizationProgress> watch) : IProgress<QuantizationProgress>
    {
        public void Report(QuantizationProgress value) => watch(value);
    }
}
