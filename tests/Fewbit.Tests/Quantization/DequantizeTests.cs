using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Tensors;

namespace Fewbit.Tests.Quantization;

public sealed class DequantizeTests
{
    private static Graph Network()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 3, 8, 8);
        x.Conv("first", 8).Named("Relu", "relu").Named("MaxPool", "pool", new() { { "kernel_shape", new long[] { 2, 2 } }, { "strides", new long[] { 2, 2 } } }).Conv("second", 4, seed: 3).Named("GlobalAveragePool", "mean").Returns();
        return graph;
    }

    private static void AssertFloat(Graph graph) => Assert.DoesNotContain(graph.Nodes, ModelCheck.IsQuantized);

    [Theory]
    [InlineData(8, 25)]
    [InlineData(4, 8)]
    public void Dequantize_StaticModel_KeepsTheFunctionAndIsQuantizedAnew(int bits, double leastSignal)
    {
        Graph quantized = SmallGraphs.Quantize(Network(), new() { Activations = new IntegerFormat(bits, IsSigned: false) }).Model;
        Graph again = Quantizer.For(quantized).Dequantize().Model;
        AssertFloat(again);
        // The Relu that a quantizer's range had replaced is a Clip now.
        Assert.InRange(ModeGraphs.SignalToNoise(Network(), again), leastSignal, 80);
        Assert.InRange(ModeGraphs.SignalToNoise(again, SmallGraphs.Quantize(again).Model), 20, 80);
    }

    [Theory]
    [InlineData(WeightOnlyForm.DequantizeLinear)]
    [InlineData(WeightOnlyForm.MatMulNBits)]
    public void Dequantize_Blocks_GiveTheirWeightsBack(WeightOnlyForm form)
    {
        Graph blocks = Quantizer.For(ModeGraphs.Transformer()).WeightOnly(new() { Form = form, Weights = new(4, IsSigned: false) }).Model;
        Graph again = Quantizer.For(blocks).Dequantize().Model;
        AssertFloat(again);
        Assert.True(ModeGraphs.SignalToNoise(blocks, again) > 100);
    }

    [Fact]
    public void Dequantize_DynamicModel_RoundsWeightsAlone()
    {
        Graph graph = ModeGraphs.Perceptron(), again = Quantizer.For(Quantizer.For(graph).Dynamic().Model).Dequantize().Model;
        AssertFloat(again);
        Assert.InRange(ModeGraphs.SignalToNoise(graph, again), 35, 80);
        Assert.NotEmpty(Quantizer.For(again).Dynamic().Report.Weights);
    }

    [Fact]
    public void Dequantize_WhatItCannot_SaysWhy()
    {
        Assert.Equal("the model is not quantized: there is nothing to make float", Assert.Throws<InvalidDataException>(() => Quantizer.For(Network()).Dequantize()).Message);
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.UInt8, [2, 2]);
        Value scale = graph.AddConstant("scale", Tensor.Scalar(1f)), zero = graph.AddConstant("zero", Tensor.Scalar((byte)0));
        graph.Opsets["com.microsoft"] = 1;
        graph.AddOutput(graph.InsertNode(0, "com.microsoft", "QLinearAdd", [x, scale, zero, x, scale, zero, scale, zero], null, 1, "sum").Outputs[0]);
        Assert.StartsWith("com.microsoft.QLinearAdd 'sum': has no float form that Fewbit knows", Assert.Throws<InvalidDataException>(() => Quantizer.For(graph).Dequantize()).Message, StringComparison.Ordinal);
    }
}
