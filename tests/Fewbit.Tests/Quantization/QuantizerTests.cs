using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Quantization;
using Fewbit.Tensors;

namespace Fewbit.Tests.Quantization;

public sealed class QuantizerTests
{
    private static Graph TwoLayers()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 3, 8, 8);
        x.Conv("first", 8).Named("Relu", "relu").Conv("second", 4, seed: 3).Named("GlobalAveragePool", "pool").Returns();
        return graph;
    }

    private static string Refusal(Graph graph) => Assert.Throws<InvalidDataException>(() => SmallGraphs.Quantize(graph)).Message;

    [Fact]
    public void RunAsync_QuantizedModel_IsRefused() =>
        Assert.Matches("^the model is quantized already \\(\\w+Linear '.*' and \\d+ more\\); give the float model", Refusal(SmallGraphs.Quantize(TwoLayers()).Model));

    [Fact]
    public void RunAsync_NothingToQuantize_SaysSo()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 4);
        x.Named("Tanh", "tanh").Returns();
        Assert.Equal("the model has no Conv, Gemm or MatMul: there is nothing to quantize", Refusal(graph));
    }

    [Fact]
    public void RunAsync_Float16Model_SaysWhatToDo()
    {
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float16, [1, 4]);
        graph.AddNode("MatMul", [x, graph.AddConstant("w", Tensor.Allocate(ElementType.Float16, [4, 4]))], name: "product").Outputs[0].Returns();
        Assert.Equal("MatMul 'product' computes in float16, expected float32; export the model in float32", Refusal(graph));
    }

    [Fact]
    public async Task RunAsync_NoData_SaysWhichCallIsMissing()
    {
        await Assert.ThrowsAsync<InvalidOperationException>(() => Quantizer.For(TwoLayers()).RunAsync());
        ArgumentException none = await Assert.ThrowsAsync<ArgumentException>(() => Quantizer.For(TwoLayers()).Calibrate(Array.Empty<IReadOnlyDictionary<string, Tensor>>()).RunAsync());
        Assert.StartsWith("there are no calibration samples", none.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RunAsync_WrongBatch_NamesTheInput()
    {
        Graph graph = TwoLayers();
        ArgumentException shape = await Assert.ThrowsAsync<ArgumentException>(() => Quantizer.For(graph).Calibrate([new Dictionary<string, Tensor> { ["input"] = Tensor.From(1f) }]).RunAsync());
        Assert.StartsWith("a batch gives input 'input' float32 [N, 3, 8, 8] a tensor float32 [1]", shape.Message, StringComparison.Ordinal);
        ArgumentException name = await Assert.ThrowsAsync<ArgumentException>(() => Quantizer.For(graph).Calibrate([new Dictionary<string, Tensor> { ["picture"] = Tensor.From(1f) }]).RunAsync());
        Assert.Contains("no tensor for input 'input'", name.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RunAsync_Cancelled_Stops()
    {
        Graph graph = TwoLayers();
        using var source = new CancellationTokenSource();
        IEnumerable<IReadOnlyDictionary<string, Tensor>> Batches()
        {
            yield return SmallGraphs.Batch(graph, 1);
            source.Cancel();
            yield return SmallGraphs.Batch(graph, 2);
        }

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Quantizer.For(graph).Calibrate(Batches()).RunAsync(cancellation: source.Token));
    }

    [Fact]
    public async Task RunAsync_Progress_CountsSamples()
    {
        Graph graph = TwoLayers();
        var seen = new List<QuantizationProgress>();
        await Quantizer.For(graph).Calibrate([SmallGraphs.Batch(graph, 1, 3), SmallGraphs.Batch(graph, 2, 2)], sampleCount: 5).RunAsync(progress: new Recorder(seen));
        Assert.Equal([new("calibrating", 3, 5), new("calibrating", 5, 5), new("writing", 0, null)], seen);
    }

    [Fact]
    public void RunAsync_OriginalGraph_IsNotChanged()
    {
        Graph graph = TwoLayers();
        byte[] before = OnnxFile.ToBytes(graph);
        SmallGraphs.Quantize(graph);
        Assert.Equal(before, OnnxFile.ToBytes(graph));
    }

    [Fact]
    public void RunAsync_Twice_WritesTheSameBytes() =>
        Assert.Equal(OnnxFile.ToBytes(SmallGraphs.Quantize(TwoLayers()).Model), OnnxFile.ToBytes(SmallGraphs.Quantize(TwoLayers()).Model));

    [Fact]
    public void RunAsync_DegenerateActivations_AreReported()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 2, 4, 4);
        // All biases far below: Relu leaves only zeros.
        Value w = graph.AddConstant("w", SmallGraphs.Random([2, 2, 1, 1], 1));
        x.Named("Conv", "dead", null, w, graph.AddConstant("b", Tensor.From(-100f, -100f))).Named("Relu", "relu").Conv("next", 2, 1, seed: 2).Named("GlobalAveragePool", "pool").Returns();
        QuantizationResult result = SmallGraphs.Quantize(graph);
        TensorReport relu = result.Report.Tensors.Single(tensor => tensor.Name == "relu/out");
        Assert.Equal((1f, 0, "all values are 0"), (relu.Scale, relu.ZeroPoint, relu.Remark));
        Assert.Contains(result.Report.Warnings, warning => warning == "'relu/out': all values are 0 in calibration");
    }

    [Fact]
    public async Task RunAsync_NanAndMasks_LeaveTheirNodesFloatAndAreReported()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 4, 8, 8);
        Value mask = graph.AddInput("mask", ElementType.Float32, ["N", 1, 1, 1]);
        x.Conv("first", 8).Named("Add", "masked", null, mask).Conv("second", 4, seed: 2).Named("GlobalAveragePool", "pool").Returns();
        Dictionary<string, Tensor> batch = new() { ["input"] = SmallGraphs.Random([1, 4, 8, 8], 1), ["mask"] = Tensor.From<float>([-3e38f], [1, 1, 1, 1]) };
        batch["input"].Span<float>()[5] = float.NaN;
        QuantizationResult result = await Quantizer.For(graph).Calibrate([batch]).RunAsync();
        Assert.Contains("too large for 8 bits", result.Node("masked").Reason, StringComparison.Ordinal);
        Assert.Equal(NodeOutcome.Integer, result.Node("first").Outcome);
        Assert.Contains(result.Report.Warnings, warning => warning.StartsWith("'input' was NaN 1 and infinite 0 times of 256", StringComparison.Ordinal));
    }

    [Fact]
    public void Save_Model_KeepsNamesAndFormats()
    {
        string path = Path.Combine(Path.GetTempPath(), $"fewbit-{Guid.NewGuid():N}.onnx");
        try
        {
            SmallGraphs.Quantize(TwoLayers()).Save(path);
            Graph loaded = OnnxFile.Load(path);
            Assert.Equal(("input", "pool/out"), (Assert.Single(loaded.Inputs).Name, Assert.Single(loaded.Outputs).Name));
            Assert.Equal(("int8", "uint8", 13), (loaded.Metadata["fewbit.weights"], loaded.Metadata["fewbit.activations"], loaded.OpsetVersion("")));
            Assert.Equal(2, loaded.Constants.Count(constant => constant.Type == ElementType.Int8 && constant.Shape!.Rank == 4));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Report_Sizes_CountPackedBits()
    {
        QuantizationResult result = SmallGraphs.Quantize(TwoLayers(), new() { Weights = IntegerFormat.Parse("int4"), KeepEdgesAt8Bits = false });
        long weights = 8 * 3 * 9 + 4 * 8 * 9;
        Assert.Equal(4 * (weights + 12), result.Report.Size.FloatParameterBytes);
        Assert.Equal(weights / 2, result.Report.Size.ParameterBytes - result.Report.Size.PackedParameterBytes);
    }

    private sealed class Recorder(List<QuantizationProgress> seen) : IProgress<QuantizationProgress>
    {
        public void Report(QuantizationProgress value) => seen.Add(value);
    }
}
