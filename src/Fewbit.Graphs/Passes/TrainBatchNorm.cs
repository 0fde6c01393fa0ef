using Fewbit.Graphs.Operators;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Passes;

/// <summary>Lets every BatchNormalization normalize by the statistics of its batch, together with the Add of a residual and the Relu or Clip behind it, and names the updates of the running statistics.</summary>
/// <remarks>
/// For training: run it on the forward graph, before <see cref="Gradients"/>. Running statistics become variables; they follow PyTorch (unbiased variance), with the node's momentum.
/// A normalization whose running statistics are computed, not stored, is left.
/// </remarks>
public sealed class TrainBatchNorm : IPass
{
    private static readonly string[] Statistics = ["mean", "variance", "batch_mean", "inverse_deviation"];

    private readonly Dictionary<string, string> _updates = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public string Name => "train batch normalization";

    /// <summary>Whether the Add and the activation behind a normalization are taken over.</summary>
    public bool Fuses { get; init; } = true;

    /// <summary>Running statistics by name, and the values that become their contents: for <see cref="Execution.PlanRequest.Updates"/>.</summary>
    public IReadOnlyDictionary<string, string> Updates => _updates;

    /// <inheritdoc/>
    public PassReport Run(Graph graph)
    {
        var report = new PassReport(Name);
        // From the back, so that of two normalizations that are added the later one takes the sum over.
        foreach (Node norm in graph.Nodes.Where(node => node.Is("BatchNormalization")).Reverse().ToArray())
        {
            if (norm.Inputs.Skip(3).All(input => input?.Constant is not null)) Replace(norm, report);
            else report.Skip(norm, "its running statistics are computed, not stored");
        }
        graph.RemoveUnusedValues();
        return report;
    }

    private void Replace(Node norm, PassReport report)
    {
        Graph graph = norm.Graph;
        (List<Node> taken, Value? residual, Activation activation) = Fuses ? Followers(norm) : ([norm], null, Activation.None);
        report.Change(norm, taken.Count == 1 ? "normalizes by its batch" : $"normalizes by its batch and takes over {string.Join(" and ", taken.Skip(1).Select(node => node.OpType))}");
        var attributes = new Attributes { { "epsilon", norm.Float("epsilon", 1e-5f) }, { "momentum", norm.Float("momentum", 0.9f) } };
        FusedActivation.Write(activation, attributes);
        Value?[] inputs = residual is null ? [.. norm.Inputs] : [.. norm.Inputs, residual];
        Value output = taken[^1].Outputs[0];
        Value[] outputs = [output, .. Statistics.Select(role => graph.AddValue(graph.UniqueName($"{norm.Name}/{role}")))];
        ForgetStatistics(norm, outputs);
        // The residual may be computed after the normalization: the fused node stands where the last one stood.
        int index = graph.IndexOf(taken[^1]) - (taken.Count - 1);
        foreach (Node node in taken) graph.Remove(node);
        graph.InsertNode(index, OperatorTable.FewbitDomain, "BatchNormalizationTraining", norm.Name, inputs, outputs, attributes);
        for (int i = 0; i < 2; i++)
        {
            Value statistic = inputs[3 + i]!;
            statistic.IsVariable = true;
            _updates[statistic.Name] = outputs[1 + i].Name;
        }
    }

    /// <summary>A node that was in training mode already returns running statistics of its own: its readers get ours.</summary>
    private static void ForgetStatistics(Node norm, Value[] outputs)
    {
        for (int i = 1; i < norm.Outputs.Count; i++) norm.Outputs[i].ReplaceAllUsesWith(outputs[i]);
    }

    private static (List<Node> Taken, Value? Residual, Activation Activation) Followers(Node norm)
    {
        List<Node> taken = [norm];
        Value? residual = null;
        if (norm.OnlyReader() is { } add && add.Is("Add") && FuseActivation.ResidualOf(add, norm.Outputs[0]) is { } other)
        {
            taken.Add(add);
            residual = other;
        }
        if (taken[^1].OnlyReader() is not { } reader || FuseActivation.ActivationOf(reader) is not { } activation || !BatchNormalizationTraining.IsClamp(activation)) return (taken, residual, Activation.None);
        taken.Add(reader);
        return (taken, residual, activation);
    }
}
