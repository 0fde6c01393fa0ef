using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Tests.Quantization;
using Fewbit.Verification;

namespace Fewbit.Tests.Verification;

public sealed class IntegerPathsTests
{
    [Fact]
    public void WithCodes_FloatNodeInTheMiddle_DividesThePaths()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 3, 8, 8);
        Value clipped = x.Conv("first", 8).Named("Relu", "relu").Named("Clip", "clip", null, graph.AddConstant("low", Tensors.Tensor.Scalar(0f)), graph.AddConstant("high", Tensors.Tensor.Scalar(0.5f)));
        Value curved = clipped.Conv("second", 8, seed: 3).Named("Tanh", "tanh");
        curved.Conv("third", 8, seed: 5).Named("Relu", "relu3").Conv("last", 4, seed: 7).Named("Tanh", "end").Returns();
        QuantizationResult result = SmallGraphs.Quantize(graph);
        CodeComparison.WithCodes(result.Model, out IReadOnlyList<(string Name, bool IsIntegerPath)> quantizers);
        var isInteger = quantizers.ToDictionary(quantizer => result.Report.Tensors.Single(tensor => tensor.CodesName == quantizer.Name).Name, quantizer => quantizer.IsIntegerPath);
        Assert.Equal(["clip/out", "input", "second/out"], isInteger.Where(pair => pair.Value).Select(pair => pair.Key).Order(StringComparer.Ordinal));
        Assert.Contains("tanh/out", isInteger.Where(pair => !pair.Value).Select(pair => pair.Key));
    }
}
