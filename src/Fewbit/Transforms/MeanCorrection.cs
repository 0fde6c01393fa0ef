using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Passes;
using Fewbit.Tensors;

namespace Fewbit.Transforms;

/// <summary>Measures how far the means of layer results are from those of the float network, each layer reading what the layers before it give once they are corrected.</summary>
/// <remarks>
/// One run a batch does it for all layers: the quantized graph is given the float means, takes the mean of each result, adds the difference and passes the corrected result on.
/// With one batch the means are equal afterwards; over several the differences are averaged.
/// </remarks>
internal static class MeanCorrection
{
    /// <param name="exact">The float graph.</param>
    /// <param name="rounded">A graph with nodes of the same names.</param>
    /// <param name="layers">Names of Conv and Gemm nodes of both.</param>
    /// <param name="samples">What is run.</param>
    /// <returns>What is missing in the mean of each channel, by layer.</returns>
    public static IReadOnlyDictionary<string, double[]> Measure(Graph exact, Graph rounded, IReadOnlyList<string> layers, KeptBatches samples)
    {
        using GraphRunner means = WithMeans(exact, layers, correct: false), corrected = WithMeans(rounded, layers, correct: true);
        string[] names = [.. layers.Select(NameOf)];
        var sums = new Dictionary<string, double[]>(StringComparer.Ordinal);
        foreach (IReadOnlyDictionary<string, Tensor> batch in samples.Batches)
        {
            var given = new Dictionary<string, Tensor>(batch, StringComparer.Ordinal);
            foreach ((string name, Tensor mean) in means.Run(batch, names)) given[InputOf(name)] = mean;
            IReadOnlyDictionary<string, Tensor> differences = corrected.Run(given, names);
            double share = (double)KeptBatches.CountOf(batch) / samples.SampleCount;
            foreach (string layer in layers) Add(sums, layer, differences[NameOf(layer)], share);
        }
        return sums;
    }

    private static void Add(Dictionary<string, double[]> sums, string layer, Tensor difference, double share)
    {
        if (!sums.TryGetValue(layer, out double[]? sum)) sums[layer] = sum = new double[difference.ElementCount];
        for (int c = 0; c < sum.Length; c++) sum[c] += share * difference.Span<float>()[c];
    }

    private static GraphRunner WithMeans(Graph source, IReadOnlyList<string> layers, bool correct)
    {
        Graph graph = source.Clone();
        var nodes = graph.Nodes.ToDictionary(node => node.Name, StringComparer.Ordinal);
        foreach (string layer in layers)
        {
            Value mean = Mean(nodes[layer]);
            Value wanted = correct ? Correct(nodes[layer], mean) : mean;
            graph.Rename(wanted, NameOf(layer));
            graph.AddOutput(wanted);
        }
        Passes.PrepareForExecution(graph);
        return new(graph);
    }

    /// <summary>Adds the difference from the given mean to a result, for all who read it.</summary>
    private static Value Correct(Node layer, Value mean)
    {
        (Graph graph, Value result) = (layer.Graph, layer.Outputs[0]);
        Use[] readers = [.. result.Uses.Where(use => use.Node != mean.Producer)];
        Value given = graph.AddInput(InputOf(NameOf(layer.Name)), ElementType.Float32, mean.Shape);
        int index = graph.IndexOf(mean.Producer!) + 1;
        Value difference = graph.InsertNode(index, "", "Sub", [given, mean], name: $"{layer.Name}/difference").Outputs[0];
        Value corrected = graph.InsertNode(index + 1, "", "Add", [result, difference], name: $"{layer.Name}/corrected").Outputs[0];
        foreach (Use reader in readers) reader.Node.SetInput(reader.Index, corrected);
        if (result.IsOutput) graph.ReplaceOutput(result, corrected);
        return difference;
    }

    private static Value Mean(Node layer)
    {
        (Graph graph, Value result) = (layer.Graph, layer.Outputs[0]);
        int rank = result.Shape?.Rank ?? layer.Inputs[1]!.Constant!.Rank;
        long[] axes = [0, .. Enumerable.Range(2, rank - 2).Select(axis => (long)axis)];
        bool areAxesAnInput = graph.OpsetVersion("") >= 18;
        Value?[] inputs = areAxesAnInput ? [result, graph.AddConstant(graph.UniqueName($"{layer.Name}/axes"), Tensor.From<long>(axes))] : [result];
        return graph.InsertNode(graph.IndexOf(layer) + 1, "", "ReduceMean", inputs, areAxesAnInput ? [] : new() { { "axes", axes } }, name: $"{layer.Name}/mean").Outputs[0];
    }

    private static string NameOf(string layer) => $"{layer}/mean difference";

    private static string InputOf(string name) => $"{name}/given";
}
