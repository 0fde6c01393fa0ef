using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Tensors;
using Fewbit.Testing;

namespace Fewbit.Tests.Quantization;

public sealed class WeightTests
{
    private static (Graph Graph, Node Node) Layer(Tensor weight, Tensor? bias = null)
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", weight.Shape[1], 4, 4);
        Value w = graph.AddConstant("weight", weight);
        Node node = graph.AddNode("Conv", bias is null ? [x, w] : [x, w, graph.AddConstant("bias", bias)], new() { { "kernel_shape", new long[] { weight.Shape[2], weight.Shape[3] } } }, name: "conv");
        node.Outputs[0].Named("GlobalAveragePool", "pool").Returns();
        return (graph, node);
    }

    private static QuantizedWeight Quantize(Tensor weight, Tensor? bias = null, float inputScale = 0.01f, string format = "int8", RangeRule? rule = null)
    {
        (_, Node node) = Layer(weight, bias);
        return WeightQuantizer.Quantize(node, node.Inputs[1]!, bias, inputScale, IntegerFormat.Parse(format), rule ?? RangeRule.MinMax, WeightGranularity.PerChannel);
    }

    [Fact]
    public void Quantize_Int8_ReachesMinus127To127InEachChannel()
    {
        QuantizedWeight quantized = Quantize(Tensor.From<float>([1, -2, 0.5f, 10, 5, -1], [2, 3, 1, 1]));
        Assert.Equal([64, -127, 32, 127, 64, -13], quantized.Codes.Span<sbyte>().ToArray().Select(code => (int)code));
        Assert.Equal([2f / 127, 10f / 127], quantized.Scales);
        Assert.Equal(0, quantized.Axis);
        Assert.Equal(255 * (127 + 64), quantized.Report.MaxPairSum);
    }

    [Fact]
    public void Quantize_BiasBeyond32Bits_EnlargesThatChannelsScaleOnly()
    {
        QuantizedWeight quantized = Quantize(Tensor.From<float>([1e-6f, 1e-6f, 1, 1], [2, 2, 1, 1]), Tensor.From(1000f, 1f), inputScale: 1e-4f);
        Assert.Equal([0], quantized.Report.WidenedChannels);
        int[] codes = quantized.Bias!.Span<int>().ToArray();
        Assert.InRange(codes[0], 1 << 29, 1 << 30);
        Assert.Equal(1000, codes[0] * (double)(1e-4f * quantized.Scales[0]), 1e-3);
        Assert.Equal(1f / 127, quantized.Scales[1]);
    }

    [Fact]
    public void Quantize_ZeroChannel_KeepsTheBiasExactly()
    {
        QuantizedWeight quantized = Quantize(Tensor.From<float>([0, 0, 1, 1], [2, 2, 1, 1]), Tensor.From(0.37f, -0.2f));
        Assert.Equal([0], quantized.Report.ZeroChannels);
        Assert.Equal(0.37, quantized.Bias!.Span<int>()[0] * (double)(0.01f * quantized.Scales[0]), 1e-6);
        Assert.All(quantized.Codes.Span<sbyte>()[..2].ToArray(), code => Assert.Equal(0, code));
    }

    [Theory]
    [InlineData("int4", -7, 7)]
    [InlineData("int2", -1, 1)]
    [InlineData("uint4", -15, 15)]
    [InlineData("uint2", -3, 3)]
    public void Quantize_FewBits_StoresCodeMinusZeroPointAsInt8(string format, int min, int max)
    {
        QuantizedWeight quantized = Quantize(SmallGraphs.Random([4, 8, 3, 3], 3), format: format, rule: RangeRule.MeanSquaredError);
        sbyte[] codes = quantized.Centred().Span<sbyte>().ToArray();
        Assert.InRange(codes.Min(), min, 0);
        Assert.InRange(codes.Max(), 1, max);
        int bits = IntegerFormat.Parse(format).BitWidth;
        foreach (sbyte[] channel in codes.Chunk(72)) Assert.InRange(channel.Max() - channel.Min(), 1, (1 << bits) - 1);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Quantize_WeightIsNotFinite_NamesNodeAndTensor(float value)
    {
        Graph graph = Layer(Tensor.From<float>([1, value], [1, 2, 1, 1])).Graph;
        string message = Assert.Throws<InvalidDataException>(() => SmallGraphs.Quantize(graph)).Message;
        Assert.StartsWith("Conv 'conv': 'weight' float32 [1, 2, 1, 1] holds", message, StringComparison.Ordinal);
        Assert.Contains("at position 1, expected finite numbers", message, StringComparison.Ordinal);
    }

    [RuntimeTheory]
    [InlineData("int8", "uint8")]
    [InlineData("int4", "uint8")]
    [InlineData("uint2", "uint4")]
    [InlineData("int3", "uint2")]
    public void Quantize_FewBits_StaysFusedInTheRuntime(string weights, string activations)
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 3, 8, 8);
        x.Conv("a", 8).Named("Relu", "ra").Conv("b", 8, seed: 3).Named("Relu", "rb").Conv("c", 8, seed: 5).Named("GlobalAveragePool", "pool").Returns();
        QuantizationResult result = SmallGraphs.Quantize(graph, new() { Weights = IntegerFormat.Parse(weights), Activations = IntegerFormat.Parse(activations) });
        IReadOnlyList<string> nodes = SmallGraphs.RuntimeNodes(result.Model, out float difference);
        Assert.Equal(3, nodes.Count(node => node.EndsWith("QLinearConv", StringComparison.Ordinal)));
        Assert.InRange(difference, 0, 0.05f);
        // The middle layer has the bits asked for, the first and the last keep 8.
        Assert.Equal(["int8", weights, "int8"], result.Report.Weights.Select(weight => weight.Format.Name));
        Assert.Equal(activations, result.Report.Tensors.Single(tensor => tensor.Name == "ra/out").Format.Name);
        Assert.Equal("uint8", result.Report.Tensors.Single(tensor => tensor.Name == "input").Format.Name);
        Assert.Equal(result.Report.Size.ParameterBytes > result.Report.Size.PackedParameterBytes, weights != "int8");
    }

    [Fact]
    public void Quantize_SharedWeight_IsStoredOnceWhereScalesAgree()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 4, 8, 8);
        Value weight = graph.AddConstant("shared", SmallGraphs.Random([4, 4, 1, 1], 1));
        x.Named("Conv", "one", null, weight).Named("Relu", "relu").Named("Conv", "two", null, weight).Named("GlobalAveragePool", "pool").Returns();
        QuantizationResult result = SmallGraphs.Quantize(graph);
        Assert.Single(result.Model.Constants, constant => constant.Type == ElementType.Int8 && constant.Shape!.Rank == 4);
    }

    [Fact]
    public void RunAsync_Strict_RefusesWhatCouldOnlyBeSimulated()
    {
        (Graph graph, _) = Layer(SmallGraphs.Random([4, 3, 1, 1], 1));
        QuantizationOptions options = new() { Activations = NumberFormats.Parse("fp4e2m1"), Strict = true };
        Assert.Contains("no runtime has a kernel for activations fp4e2m1: they would be a simulation without speed-up", Assert.Throws<ArgumentException>(() => SmallGraphs.Quantize(graph, options)).Message, StringComparison.Ordinal);
    }
}
