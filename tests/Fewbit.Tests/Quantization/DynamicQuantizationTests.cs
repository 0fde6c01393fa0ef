using Fewbit.Graphs;
using Fewbit.OnnxRuntime;
using Fewbit.Quantization;
using Fewbit.Testing;

namespace Fewbit.Tests.Quantization;

public sealed class DynamicQuantizationTests
{
    [RuntimeFact("text/stories260K/stories260K.onnx")]
    public void Dynamic_Models_AgreeWithTheRuntime()
    {
        foreach ((Graph original, double bound) in new[] { (ModeGraphs.Perceptron(), 1e-5), (ModeGraphs.Stories(), 2e-2), (ModeGraphs.Transformer(), 2e-2) })
        {
            QuantizationResult result = Quantizer.For(original).Dynamic();
            // A sum that rounds otherwise flips codes behind it; one layer behind the input is exact.
            Assert.InRange(ModeGraphs.AgainstRuntime(result.Model, GraphOptimizationLevel.Off), 0, bound);
            Assert.InRange(ModeGraphs.AgainstRuntime(result.Model, GraphOptimizationLevel.All), 0, bound);
            Assert.InRange(ModeGraphs.SignalToNoise(original, result.Model), 25, 60);
        }
    }

    [RuntimeFact]
    public void Dynamic_Products_AreFusedByTheRuntime()
    {
        IReadOnlyList<string> nodes = SmallGraphs.RuntimeNodes(Quantizer.For(ModeGraphs.Perceptron()).Dynamic().Model, out _);
        Assert.DoesNotContain("MatMulInteger", nodes);
        Assert.Equal(2, nodes.Count(node => node is "com.microsoft.DynamicQuantizeMatMul" or "com.microsoft.MatMulIntegerToFloat"));
    }

    [Fact]
    public void Dynamic_ProductsOfOneValue_ShareItsCodes()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 16);
        (x.Named("MatMul", "a", null, graph.AddConstant("wa", SmallGraphs.Random([16, 4], 1))) + x.Named("MatMul", "b", null, graph.AddConstant("wb", SmallGraphs.Random([16, 4], 2)))).Returns("sum");
        QuantizationResult result = Quantizer.For(graph).Dynamic();
        Assert.Single(result.Model.Nodes, node => node.Is("DynamicQuantizeLinear"));
        Assert.Equal("int8 weights, dynamic uint8 input, float output", result.Node("a").Applied);
        Assert.Equal(2 * (16 * 4 + 4 * 4), result.Report.Size.ParameterBytes);
    }

    [Fact]
    public void Dynamic_Convolution_StaysFloatWithAReason()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 3, 4, 4);
        x.Conv("conv", 4).Flatten().Named("MatMul", "product", null, graph.AddConstant("w", SmallGraphs.Random([64, 4], 1))).Returns();
        Assert.Equal((NodeOutcome.Float, "only MatMul and Gemm have such a form"), (Quantizer.For(graph).Dynamic().Node("conv").Outcome, Quantizer.For(graph).Dynamic().Node("conv").Reason));
    }

    [Fact]
    public void Dynamic_SevenBits_CannotSaturate()
    {
        Graph graph = ModeGraphs.Perceptron();
        Assert.NotEmpty(Quantizer.For(graph).Dynamic().Report.Warnings);
        QuantizationReport seven = Quantizer.For(graph).Dynamic(new() { Weights = new(7, IsSigned: true) }).Report;
        Assert.Empty(seven.Warnings);
        Assert.All(seven.Weights, weight => Assert.InRange(weight.MaxPairSum, 1, short.MaxValue));
    }
}
