using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Tensors;
using Fewbit.Transforms;

namespace Fewbit.Tests.Transforms;

public sealed class BiasAbsorptionTests
{
    private static Node Layer(Graph graph, string name) => graph.Nodes.Single(node => node.Name == name);

    private static float[] Run(Graph graph, IReadOnlyDictionary<string, Tensor> batch)
    {
        using var runner = new GraphRunner(graph);
        return runner.Run(batch).Values.Single().Span<float>().ToArray();
    }

    [Fact]
    public void Run_LargeBiases_MoveIntoTheNextLayerAndKeepTheFunction()
    {
        Graph original = NormalizedNetwork.Create(lift: 9), graph = original.Clone();
        TransformReport report = BiasAbsorber.Run(graph, new());
        Assert.Equal(["first"], report.Changes.Select(change => change.Node));
        FoldedBatchNorm before = Layer(original, "first").Inputs[1]!.FoldedBatchNorm!, after = Layer(graph, "first").Inputs[1]!.FoldedBatchNorm!;
        for (int c = 0; c < NormalizedNetwork.Hidden; c++)
        {
            (float beta, float gamma) = (before.Bias.Span<float>()[c], MathF.Abs(before.Scale.Span<float>()[c]));
            float moved = Math.Max(0, beta - 3 * gamma);
            Assert.Equal(beta - moved, after.Bias.Span<float>()[c], 1e-5f);
            Assert.Equal(Layer(original, "first").Inputs[2]!.Constant!.Span<float>()[c] - moved, Layer(graph, "first").Inputs[2]!.Constant!.Span<float>()[c], 1e-5f);
        }
        // Input of a fifth of the deviation stays within three deviations: there absorption is exact.
        float[] expected = Run(original, NormalizedNetwork.Batch(1, 2, 0.2f)), found = Run(graph, NormalizedNetwork.Batch(1, 2, 0.2f));
        Assert.InRange(expected.Zip(found, (x, y) => MathF.Abs(x - y)).Max() / expected.Max(MathF.Abs), 0, 1e-5);
    }

    [Fact]
    public void Run_AfterEqualization_UsesTheScaledStatistics()
    {
        Graph original = NormalizedNetwork.Create(lift: 9), graph = original.Clone();
        LayerEqualizer.Run(graph, new(), KeptBatches.None);
        BiasAbsorber.Run(graph, new());
        float[] expected = Run(original, NormalizedNetwork.Batch(1, 2, 0.2f)), found = Run(graph, NormalizedNetwork.Batch(1, 2, 0.2f));
        Assert.InRange(expected.Zip(found, (x, y) => MathF.Abs(x - y)).Max() / expected.Max(MathF.Abs), 0, 1e-5);
        FoldedBatchNorm norm = Layer(graph, "first").Inputs[1]!.FoldedBatchNorm!;
        float[] bias = Layer(graph, "first").Inputs[2]!.Constant!.Span<float>().ToArray();
        // b' = (b - mean) * gamma / sqrt(variance + epsilon) + beta, and here the mean is b.
        Assert.All(bias.Zip(norm.Bias.Span<float>().ToArray()), pair => Assert.Equal(pair.Second, pair.First, 1e-4f));
    }

    [Fact]
    public void Run_SmallBiasesOrPaddedReaders_SaysWhyNothingMoves()
    {
        Assert.Contains(BiasAbsorber.Run(NormalizedNetwork.Create(lift: -9), new()).Skipped, note => note is { Node: "first", Text: "no channel lies 3 standard deviations above 0" });
        TransformReport padded = BiasAbsorber.Run(NormalizedNetwork.Create(lift: 9, readerSize: 3), new());
        Assert.Contains(padded.Skipped, note => note is { Node: "first", Text: "Conv 'second' pads with zeros, which would be missing what was moved" });
        Assert.Empty(padded.Changes);
    }
}
