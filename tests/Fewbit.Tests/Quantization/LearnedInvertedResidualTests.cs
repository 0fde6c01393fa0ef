using Fewbit.Data;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Quantization;
using Fewbit.Reconstruction;
using Fewbit.Runtime;
using Fewbit.Tensors;
using Fewbit.Testing;
using Fewbit.Verification;

namespace Fewbit.Tests.Quantization;

/// <summary>A small MobileNetV2: expansion, depthwise convolution, linear bottleneck, sums of bottlenecks; ReLU6 throughout.</summary>
public sealed class LearnedInvertedResidualTests
{
    private static Value Relu6(Value x, string name) => x.Named("Clip", name, null, x.Graph.AddConstant("zero", Tensor.Scalar(0f)), x.Graph.AddConstant("six", Tensor.Scalar(6f)));

    private static Value Block(Value x, string name, int channels, int seed)
    {
        int hidden = 3 * (int)x.Shape![1].Length;
        Value expanded = Relu6(x.Conv($"{name}/expand", hidden, 1, seed: seed), $"{name}/expand/relu6");
        Value depthwise = Relu6(expanded.Conv($"{name}/depthwise", hidden, group: hidden, seed: seed + 2), $"{name}/depthwise/relu6");
        Value bottleneck = depthwise.Conv($"{name}/project", channels, 1, seed: seed + 4);
        return channels == x.Shape[1].Length ? bottleneck.Named("Add", $"{name}/add", null, x) : bottleneck;
    }

    private static Graph Network()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 3, 10, 10);
        Value y = Relu6(x.Conv("stem", 8), "stem/relu6");
        y = Block(y, "first", 8, 11);
        y = Block(y, "second", 12, 21);
        y = Block(y, "third", 12, 31);
        y = Relu6(y.Conv("last", 32, 1, seed: 41), "last/relu6").Named("GlobalAveragePool", "pool").Named("Flatten", "flatten");
        y.Named("Gemm", "head", null, graph.AddConstant("w", SmallGraphs.Random([32, 5], 51, 0.4f)), graph.AddConstant("b", SmallGraphs.Random([5], 52))).Returns();
        return graph;
    }

    private static QuantizationResult Quantize(RoundingMethod method, int iterations)
    {
        Graph graph = Network();
        return Quantizer.For(graph).Calibrate(Enumerable.Range(0, 12).Select(seed => SmallGraphs.Batch(graph, seed, 8))).RunAsync(new()
        {
            Method = method, Weights = IntegerFormat.Parse("uint3"), Activations = IntegerFormat.Parse("uint4"), Learning = new() { Iterations = iterations, Seed = 2, RoundingWeight = 0.1 },
        }).GetAwaiter().GetResult();
    }

    private static double Error(Graph model)
    {
        double sum = 0;
        for (int seed = 100; seed < 120; seed++) sum += SmallGraphs.Run(Network(), seed).Zip(SmallGraphs.Run(model, seed)).Sum(pair => Math.Pow(pair.First - pair.Second, 2));
        return sum;
    }

    [Theory]
    [InlineData(RoundingMethod.Brecq)]
    [InlineData(RoundingMethod.QDrop)]
    public void RunAsync_InvertedResiduals_AreUnitsAndErrLessThanNearest(RoundingMethod method)
    {
        QuantizationResult learned = Quantize(method, 400), nearest = Quantize(method, 0);
        (string, int)[] blocks = [("first/project", 3), ("second/project", 3), ("third/project", 3)];
        UnitReport[] units = [.. learned.Report.Units.Where(unit => unit.Pass == learned.Report.Units[0].Pass)];
        Assert.Equal(method == RoundingMethod.QDrop ? [("stem", 1), .. blocks, ("last", 1), ("head", 1)] : [.. blocks, ("last", 1), ("head", 1)], units.Select(unit => (unit.Unit, unit.Layers)));
        Assert.InRange(Error(learned.Model), 0, 0.8 * Error(nearest.Model));
    }

    [RuntimeFact]
    public void RunAsync_Learned_RunsInIntegersWithTheCodesOfTheRuntime()
    {
        Graph model = Quantize(RoundingMethod.QDrop, 20).Model;
        IReadOnlyList<string> nodes = SmallGraphs.RuntimeNodes(model, out _);
        Assert.Equal(11, nodes.Count(node => node.EndsWith("QLinearConv", StringComparison.Ordinal)));
        Assert.Equal(2, nodes.Count(node => node == "com.microsoft.QLinearAdd"));
        Assert.DoesNotContain(nodes, node => node is "Conv" or "com.microsoft.FusedConv" or "Gemm" or "Add");
        OnnxRuntimeLibrary library = OnnxRuntimeLibrary.Open(Oracles.OnnxRuntimeLibrary);
        var samples = Enumerable.Range(0, 6).Select(i => new SampleBatch(SmallGraphs.Batch(model, 300 + i, 16), 16, 16 * i, null));
        VerificationResult result = CodeComparison.Compare(model, graph => ModelRunner.From(graph), graph => OnnxRuntimeSession.Load(library, OnnxFile.ToBytes(graph)), samples);
        Assert.True(result.Codes.Count >= 13, $"{result.Codes.Count} quantizers");
        Assert.All(result.Codes, codes => Assert.True(codes.IsIntegerPath && codes.Differing == 0, codes.ToString()));
    }
}
