using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Models;

/// <summary>Sets the running mean and variance of every batch normalization to those of one forward pass.</summary>
public static class BatchNormStatistics
{
    /// <summary>Runs the graph once in training mode and keeps each normalization's statistics of that batch.</summary>
    /// <param name="graph">Changed in place; its normalizations must have constant statistics.</param>
    /// <param name="batch">A tensor for each input.</param>
    public static void Set(Graph graph, IReadOnlyDictionary<string, Tensor> batch)
    {
        Graph training = graph.Clone();
        var statistics = new List<(Value Constant, string Measured)>();
        foreach (Node norm in training.Nodes.Where(node => node.Is("BatchNormalization")).ToArray())
        {
            Node trained = InTrainingMode(norm);
            for (int i = 0; i < 2; i++) statistics.Add((graph.Find(trained.Inputs[3 + i]!.Name)!, trained.Outputs[1 + i].Name));
        }
        if (statistics.Count == 0) return;
        Plan plan = Plan.Compile(training, new()
        {
            Inputs = batch.ToDictionary(pair => pair.Key, pair => pair.Value.Shape, StringComparer.Ordinal),
            Outputs = [.. statistics.Select(pair => pair.Measured)],
        });
        plan.Run(batch);
        foreach ((Value constant, string measured) in statistics) constant.SetConstant(plan.Output(measured));
    }

    /// <summary>Replaces a normalization by one whose new running statistics are those of the batch (momentum 0).</summary>
    private static Node InTrainingMode(Node norm)
    {
        Graph graph = norm.Graph;
        Node trained = graph.InsertNode(graph.IndexOf(norm), "", "BatchNormalization", norm.Inputs,
            new() { { "epsilon", norm.Float("epsilon", 1e-5f) }, { "momentum", 0f }, { "training_mode", 1 } }, outputs: 3);
        norm.Outputs[0].ReplaceAllUsesWith(trained.Outputs[0]);
        graph.Remove(norm);
        return trained;
    }
}
