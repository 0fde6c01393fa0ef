using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Graphs.Passes.Quantized;
using Fewbit.Quantization;
using Fewbit.Targets;
using Fewbit.Tensors;
using Fewbit.Tests.Quantization;

namespace Fewbit.Tests.Targets;

public sealed class TargetExportTests
{
    /// <summary>A stem, two residual blocks (the second with a shortcut layer), a pool and a Gemm.</summary>
    internal static Graph Residual()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 3, 8, 8);
        Value stem = x.Conv("stem", 8).Named("Relu", "stem/relu");
        Value first = stem.Conv("conv1", 8, seed: 3).Named("Relu", "relu1").Conv("conv2", 8, seed: 5).Named("Add", "add1", null, stem).Named("Relu", "sum1");
        Value second = first.Conv("conv3", 16, seed: 7).Named("Relu", "relu3").Conv("conv4", 16, seed: 9).Named("Add", "add2", null, first.Conv("shortcut", 16, 1, seed: 11)).Named("Relu", "sum2");
        Value flat = second.Named("GlobalAveragePool", "pool").Named("Flatten", "flatten");
        flat.Named("Gemm", "fc", null, graph.AddConstant("fc.weight", SmallGraphs.Random([16, 10], 13, 0.3f)), graph.AddConstant("fc.bias", SmallGraphs.Random([10], 14))).Returns();
        return graph;
    }

    private static QuantizationResult Quantize(ExportTarget target) => SmallGraphs.Quantize(Residual(), new() { Target = target });

    private static IEnumerable<Node> Quantizers(QuantizationResult result) => result.Model.Nodes.Where(node => node.IsQuantizer());

    public static TheoryData<string> Targets => [.. ExportTarget.All.Select(target => target.Name)];

    [Theory]
    [MemberData(nameof(Targets))]
    public void Quantize_ForATarget_ObeysItsRules(string name)
    {
        QuantizationResult result = Quantize(ExportTarget.Parse(name));
        Assert.Equal(name, result.TargetCheck!.Target);
        Assert.Empty(result.TargetCheck.Violations);
        Assert.InRange(result.TargetCheck.Rules.Count, 10, 20);
        float[] expected = SmallGraphs.Run(Residual()), actual = SmallGraphs.Run(result.Model);
        float largest = expected.Max(MathF.Abs);
        Assert.All(expected.Zip(actual), pair => Assert.InRange(MathF.Abs(pair.First - pair.Second), 0, 0.06f * largest));
    }

    [Fact]
    public void Quantize_WithoutTarget_IsForOrtX64()
    {
        QuantizationResult without = SmallGraphs.Quantize(Residual()), with = Quantize(ExportTarget.OrtX64);
        Assert.Null(without.TargetCheck);
        Assert.Equal(Fewbit.Onnx.OnnxFile.ToBytes(without.Model), Fewbit.Onnx.OnnxFile.ToBytes(with.Model));
    }

    [Fact]
    public void Quantize_OrtArm_TakesInt8WithTheLowestCodeAsZeroPointBehindRelu()
    {
        QuantizationResult result = Quantize(ExportTarget.OrtArm);
        Assert.All(Quantizers(result), node => Assert.Equal(ElementType.Int8, node.CodeType()));
        Assert.DoesNotContain(result.Model.Nodes, node => node.Is("Relu"));
        foreach (string relu in new[] { "stem/relu", "relu1", "sum1", "relu3", "sum2" }) Assert.Equal(-128, result.Report.Tensors.Single(tensor => tensor.Name == relu + "/out").ZeroPoint);
        Assert.NotEqual(0, result.Report.Tensors[0].ZeroPoint); // the input has other ends than its middle
        Assert.All(FusionTable.Expected(result.Model, keepsInt8: true).Nodes, node => Assert.NotNull(node.FusedAs));
    }

    [Fact]
    public void Quantize_WithoutVnni_KeepsWeightsWithin64InEveryLayer()
    {
        QuantizationResult plain = Quantize(ExportTarget.OrtX64), safe = Quantize(ExportTarget.OrtX64WithoutVnni);
        Assert.Equal(7, plain.SaturationRisks.Count);
        Assert.Empty(safe.SaturationRisks);
        Assert.All(safe.Report.Weights, weight => Assert.Equal(7, weight.Format.BitWidth));
        Assert.All(WeightedLayer.Find(safe.Model), layer => Assert.Equal(63, layer.CodesByChannel().SelectMany(codes => codes).Max(Math.Abs)));
        Assert.All(safe.Report.Weights, weight => Assert.InRange(weight.MaxPairSum, 1, Saturation.Limit));
    }

    [Fact]
    public void Quantize_TensorRt_QuantizesWhatLayersReadAndOneSideOfEachSum()
    {
        QuantizationResult result = Quantize(ExportTarget.TensorRt);
        Assert.All(Quantizers(result), node => Assert.Equal((ElementType.Int8, 0), (node.CodeType(), node.ZeroPoint())));
        // The first block's residual is what its first layer reads; the second sum keeps the float result of conv4 and quantizes the shortcut's.
        Assert.Equal(["flatten/out", "input", "relu1/out", "relu3/out", "shortcut/out", "stem/relu/out", "sum1/out"], result.Report.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal));
        Assert.Equal(5, result.Model.Nodes.Count(node => node.Is("Relu")));
        Assert.DoesNotContain(result.Model.Nodes, node => node.IsDequantizer() && node.CodeType() == ElementType.Int32);
        Assert.All(result.Model.Nodes.Where(node => node.IsQuantizer() || (node.IsDequantizer() && node.Inputs[0]!.Constant is null)), node => Assert.Single(node.Outputs[0].Uses));
        Node sum = result.Model.Nodes.Single(node => node.Name == "add2");
        Assert.Equal((true, true), (sum.Inputs[0]!.Producer!.Is("Conv"), sum.Inputs[1]!.Producer!.IsDequantizer()));
    }

    [Fact]
    public void Quantize_TensorRtWithFloatWeights_WritesFloatsThatGiveTheSameCodes()
    {
        QuantizationResult codes = Quantize(ExportTarget.TensorRt), floats = Quantize(ExportTarget.TensorRt with { WritesFloatWeights = true });
        Assert.Empty(floats.TargetCheck!.Violations);
        Assert.All(WeightedLayer.Find(floats.Model), layer => Assert.True(layer.IsQuantizedInGraph && layer.Stored.Type == ElementType.Float32));
        Assert.Equal(SmallGraphs.Run(codes.Model), SmallGraphs.Run(floats.Model));
    }

    [Theory]
    [InlineData("ort-x64", "int7", "uint5")]
    [InlineData("ort-arm", "int4", "int3")]
    [InlineData("ort-arm", "int6", "uint4")]
    public void Quantize_FewBits_AreClippedInOneTypeForAll(string target, string weights, string activations)
    {
        QuantizationResult result = SmallGraphs.Quantize(Residual(), new() { Target = ExportTarget.Parse(target), Weights = NumberFormats.Parse(weights), Activations = NumberFormats.Parse(activations) });
        Assert.Empty(result.TargetCheck!.Violations);
        Assert.Single(Quantizers(result).Select(node => node.CodeType()).Distinct());
        Assert.Contains(result.Model.Nodes, node => node.Is("Clip"));
    }

    [Theory]
    [InlineData("ort-x64-no-vnni", "int8", "uint8", "weights cannot be int8 for ort-x64-no-vnni")]
    [InlineData("ort-x64", "int8", "int8", "activations cannot be int8 for ort-x64: it computes in uint8, and turns int8 into that only where a single node reads the codes; expected uint8")]
    [InlineData("tensorrt", "int8", "uint8", "activations cannot be uint8 for tensorrt: expected int8 or fp8e4m3fn")]
    public async Task RunAsync_FormatThatTheTargetCannotRun_IsRefusedFirst(string target, string weights, string activations, string message)
    {
        Quantizer quantizer = Quantizer.For(Residual()).Calibrate(Array.Empty<IReadOnlyDictionary<string, Tensor>>());
        var options = new QuantizationOptions { Target = ExportTarget.Parse(target), Weights = NumberFormats.Parse(weights), Activations = NumberFormats.Parse(activations) };
        Assert.StartsWith(message, (await Assert.ThrowsAsync<ArgumentException>(() => quantizer.RunAsync(options))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Preview_ContradictingOptions_AreRefused()
    {
        Quantizer quantizer = Quantizer.For(Residual());
        Assert.Contains("take the placement deploy", Assert.Throws<ArgumentException>(() => quantizer.Preview(new() { Target = ExportTarget.TensorRt, Placement = QuantizerPlacement.Paper })).Message, StringComparison.Ordinal);
        Assert.Contains("leave QuantizeOutputs out", Assert.Throws<ArgumentException>(() => quantizer.Preview(new() { Target = ExportTarget.TensorRt, QuantizeOutputs = true })).Message, StringComparison.Ordinal);
        Assert.Contains("leave the runtime out", Assert.Throws<ArgumentException>(() => quantizer.Preview(new() { Target = ExportTarget.TensorRt, Runtime = RuntimeVersion.Newest })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Preview_ModelOfALaterOpset_NamesTheReleaseThatLoadsIt()
    {
        Graph graph = Residual();
        graph.Opsets[""] = 22;
        InvalidDataException problem = Assert.Throws<InvalidDataException>(() => Quantizer.For(graph).Preview(new() { Runtime = RuntimeVersion.Parse("ort-1.18") }));
        Assert.Equal("the model states opset 22, and ort-1.18 loads opsets up to 21: name --runtime ort-1.21 or later", problem.Message);
    }

    [Fact]
    public void Quantize_LearnedForTensorRt_KeepsZeroPointsAt0()
    {
        QuantizationResult result = SmallGraphs.Quantize(Residual(), new() { Target = ExportTarget.TensorRt, Weights = NumberFormats.Parse("int4"), Method = RoundingMethod.QDrop, Learning = new() { Iterations = 4 } });
        Assert.Empty(result.TargetCheck!.Violations);
        Assert.All(result.Report.Tensors, tensor => Assert.Equal(0, tensor.ZeroPoint));
    }
}
