using Fewbit.Graphs;

namespace Fewbit.Training;

/// <summary>Lets batch normalizations use the statistics of the batch and keep running ones; the model to save keeps its ordinary nodes.</summary>
internal static class BatchNormTraining
{
    /// <summary>Puts every batch normalization in training mode.</summary>
    /// <param name="graph">Changed in place.</param>
    /// <param name="updates">Takes each running statistic with its new contents, by name.</param>
    public static void Apply(Graph graph, Dictionary<string, string> updates)
    {
        foreach (Node norm in graph.Nodes.Where(node => node.Is("BatchNormalization") && node.Int("training_mode", 0) == 0).ToArray())
        {
            if (norm.Inputs[3]!.Constant is null || norm.Inputs[4]!.Constant is null) throw norm.Fail("computes its running statistics, expected constants to update");
            var attributes = new Attributes { { "epsilon", norm.Float("epsilon", 1e-5f) }, { "momentum", norm.Float("momentum", 0.9f) }, { "training_mode", 1L } };
            Node trained = graph.InsertNode(graph.IndexOf(norm), "", "BatchNormalization", norm.Inputs, attributes, outputs: 3, name: $"{norm.Name}/training");
            norm.Outputs[0].ReplaceAllUsesWith(trained.Outputs[0]);
            graph.Remove(norm);
            for (int i = 0; i < 2; i++)
            {
                Value statistic = trained.Inputs[3 + i]!;
                statistic.IsVariable = true;
                if (!updates.TryAdd(statistic.Name, trained.Outputs[1 + i].Name)) throw trained.Fail($"shares its running statistic '{statistic.Name}' with another node, so that both would update it");
            }
        }
    }
}
