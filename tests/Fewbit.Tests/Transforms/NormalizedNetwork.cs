using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Tensors;
using Fewbit.Tests.Quantization;

namespace Fewbit.Tests.Transforms;

/// <summary>Two 1x1 convolutions with the batch normalization of standard normal input between them: its statistics are those that data have.</summary>
internal static class NormalizedNetwork
{
    public const int Inputs = 6, Hidden = 8, Outputs = 5;

    /// <summary>The network, batch normalization folded.</summary>
    public static Graph Create(float lift = 0, int readerSize = 1)
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", Inputs, 16, 16);
        Value y = x.Conv("first", Hidden, 1);
        Tensor weight = graph.Find("first.weight")!.Constant!, bias = graph.Find("first.bias")!.Constant!;
        float[] variance = [.. Enumerable.Range(0, Hidden).Select(c => weight.Span<float>().Slice(c * Inputs, Inputs).ToArray().Sum(w => w * w))];
        Tensor gamma = SmallGraphs.Random([Hidden], 11, 2), beta = SmallGraphs.Random([Hidden], 12);
        foreach (ref float value in beta.Span<float>()) value += lift;
        y = y.Named("BatchNormalization", "norm", new() { { "epsilon", 1e-9f } }, graph.AddConstant("gamma", gamma), graph.AddConstant("beta", beta), graph.AddConstant("mean", bias), graph.AddConstant("variance", Tensor.From<float>(variance)));
        y.Named("Relu", "relu").Conv("second", Outputs, readerSize, seed: 3).Returns();
        return Preparation.Prepare(graph);
    }

    /// <summary>Standard normal input.</summary>
    public static IReadOnlyDictionary<string, Tensor> Batch(ulong seed, int count, float deviation = 1)
    {
        var random = new SeededRandom(seed);
        Tensor input = Tensor.Allocate(ElementType.Float32, [count, Inputs, 16, 16]);
        foreach (ref float value in input.Span<float>()) value = deviation * (float)random.NextNormal();
        return new Dictionary<string, Tensor> { ["input"] = input };
    }
}
