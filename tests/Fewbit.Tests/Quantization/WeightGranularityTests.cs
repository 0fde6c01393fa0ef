using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Testing;

namespace Fewbit.Tests.Quantization;

public sealed class WeightGranularityTests
{
    private static QuantizationResult Quantize(string format)
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 3, 8, 8);
        x.Conv("first", 8).Named("Relu", "relu").Conv("second", 4, seed: 3).Named("GlobalAveragePool", "pool").Returns();
        return SmallGraphs.Quantize(graph, new() { WeightGranularity = WeightGranularity.PerTensor, Weights = IntegerFormat.Parse(format), KeepEdgesAt8Bits = false });
    }

    [Theory]
    [InlineData("int8")]
    [InlineData("uint4")]
    public void RunAsync_PerTensor_WritesOneScaleForAWeight(string format)
    {
        QuantizationResult result = Quantize(format);
        Assert.All(result.Report.Weights, weight => Assert.Equal(Granularity.PerTensor, weight.Granularity));
        Node dequantizer = result.Model.Find("first.weight_dequantized")!.Producer!;
        Assert.Equal(0, dequantizer.Inputs[1]!.Constant!.Rank);
        Assert.Null(dequantizer.Attributes.Find("axis"));
        float[] original = result.FloatModel.Find("first.weight")!.Constant!.Span<float>().ToArray();
        sbyte[] codes = dequantizer.Inputs[0]!.Constant!.Span<sbyte>().ToArray();
        float scale = dequantizer.Inputs[1]!.Constant!.Item<float>();
        if (format == "int8") Assert.Equal(original.Max(MathF.Abs) / 127, scale, 1e-9f);
        // uint4 has the mse range, which clips.
        if (format == "int8") Assert.All(original.Zip(codes), pair => Assert.InRange(MathF.Abs(pair.First - pair.Second * scale), 0, 0.5001f * scale));
        else Assert.InRange(codes.Max() - codes.Min(), 8, 15);
    }

    [RuntimeFact]
    public void RunAsync_PerTensor_IsFusedByTheRuntime()
    {
        IReadOnlyList<string> nodes = SmallGraphs.RuntimeNodes(Quantize("int8").Model, out float difference);
        Assert.Equal(2, nodes.Count(node => node.EndsWith("QLinearConv", StringComparison.Ordinal)));
        Assert.InRange(difference, 0, 0.02f);
    }
}
