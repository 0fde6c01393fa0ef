using Fewbit.Graphs.Operators;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Passes;

/// <summary>ConvBackwardData takes over the Add of another gradient behind it; both gradients of a convolution may be told to use Winograd's transform.</summary>
/// <remarks>For training graphs, after <see cref="Gradients"/>.</remarks>
public sealed class FuseGradients : IPass
{
    private const int Added = 3;

    /// <inheritdoc/>
    public string Name => "fuse sums of gradients";

    /// <summary>Whether 3x3 convolutions may use Winograd's transform, whose sums differ by about 5e-6 of the largest.</summary>
    public bool AllowsWinograd { get; init; }

    /// <inheritdoc/>
    public PassReport Run(Graph graph)
    {
        var report = new PassReport(Name);
        foreach (Node node in graph.Nodes.Where(node => node.Domain == OperatorTable.FewbitDomain && node.OpType == "ConvBackwardData").Reverse().ToArray()) Fuse(node, report);
        if (AllowsWinograd)
        {
            foreach (Node node in graph.Nodes.Where(node => node is { Domain: OperatorTable.FewbitDomain, OpType: "ConvBackwardWeights" })) AllowWinograd(node);
        }
        graph.RemoveUnusedValues();
        return report;
    }

    private static void AllowWinograd(Node node)
    {
        node.Attributes.Set("winograd", 1);
        node.Invalidate();
    }

    private void Fuse(Node node, PassReport report)
    {
        if (node.Outputs[0].Type != ElementType.Float32) return;
        if (AllowsWinograd) AllowWinograd(node);
        if (node.Input(Added) is not null || node.OnlyReader() is not { } add || !add.Is("Add") || FuseActivation.ResidualOf(add, node.Outputs[0]) is not { } other) return;
        report.Change(node, $"adds {other.Name}");
        (Graph graph, Value output) = (node.Graph, add.Outputs[0]);
        // The other gradient may be computed after this one: the fused node stands where the sum stood.
        int index = graph.IndexOf(add) - 1;
        Value?[] inputs = [node.Inputs[0], node.Inputs[1], node.Inputs[2], other];
        graph.Remove(add);
        graph.Remove(node);
        graph.InsertNode(index, OperatorTable.FewbitDomain, "ConvBackwardData", node.Name, inputs, [output], node.Attributes);
    }
}
