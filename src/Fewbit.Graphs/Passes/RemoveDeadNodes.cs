using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Passes;

/// <summary>Removes nodes that nothing needs, and nodes that hand on their input unchanged.</summary>
/// <remarks>
/// Unchanged means: Identity, Dropout outside training, Cast to the type that the input has, and Reshape, Flatten, Squeeze, Unsqueeze, Expand, Slice, Pad,
/// Transpose and Concat where shapes and constants prove it. Inputs and outputs of the graph keep their names.
/// </remarks>
public sealed class RemoveDeadNodes : IPass
{
    /// <inheritdoc/>
    public string Name => "remove dead nodes";

    /// <inheritdoc/>
    public PassReport Run(Graph graph)
    {
        var report = new PassReport(Name);
        Run(graph, report);
        return report;
    }

    private static void Run(Graph graph, PassReport report)
    {
        HashSet<Value> returned = ReturnedByBodies(graph);
        foreach (Node node in graph.Nodes.ToArray())
        {
            foreach (Graph body in node.Subgraphs()) Run(body, report);
            if (PassesInputOn(node)) Bypass(node, returned, report);
        }
        RemoveUnreachable(graph, report);
        graph.RemoveUnusedValues();
    }

    private static void RemoveUnreachable(Graph graph, PassReport report)
    {
        var needed = Reachability.NodesFor(graph, graph.Outputs).ToHashSet();
        var dead = graph.Nodes.Where(node => !needed.Contains(node)).ToHashSet();
        foreach (Node node in dead) report.Change(node, $"{node.OpType} removed: nothing needs it");
        graph.RemoveNodes(dead);
    }

    private static void Bypass(Node node, HashSet<Value> returned, PassReport report)
    {
        (Value input, Value output) = (node.Inputs[0]!, node.Outputs[0]);
        bool inputHasName = input.Producer is null || input.Graph != node.Graph || input.IsOutput;
        if ((output.IsOutput && inputHasName) || returned.Contains(output))
        {
            report.Skip(node, "it names an output of the graph");
            return;
        }
        report.Change(node, $"{node.OpType} removed: it changes nothing");
        output.ReplaceAllUsesWith(input);
        node.Graph.Remove(node);
    }

    private static bool PassesInputOn(Node node)
    {
        if (node.Domain.Length > 0 || node.Outputs.Count == 0 || node.Input(0) is not { } input || node.Outputs.Skip(1).Any(IsRead)) return false;
        Value output = node.Outputs[0];
        return node.OpType switch
        {
            "Identity" => true,
            "Dropout" => node.Input(2) is null || node.Input(2)!.Constant is { ElementCount: 1 } training && training.Bytes[0] == 0,
            "Cast" => input.Type != ElementType.Undefined && node.Int("to") == (long)input.Type,
            "Reshape" or "Flatten" or "Squeeze" or "Unsqueeze" or "Expand" => IsSameShape(input, output),
            "Pad" => IsSameShape(input, output) && node.Input(1)?.Constant is { Type: ElementType.Int64 } pads && !pads.Span<long>().ContainsAnyExcept(0),
            "Slice" => IsSameShape(input, output) && input.Shape!.IsKnown && (node.Input(4) is not { } steps || (steps.Constant is { } tensor && Inference.DimsOf(tensor) is { } values && Array.TrueForAll(values, step => step.IsKnown))),
            "Transpose" => node.Ints("perm") is { } order && order.Select((axis, i) => axis == i).All(isSame => isSame),
            "Concat" => node.Inputs.Count == 1,
            _ => false,
        };
    }

    private static bool IsRead(Value value) => value.Uses.Count > 0 || value.IsOutput;

    private static bool IsSameShape(Value input, Value output) =>
        input.Shape is { } shape && shape.Equals(output.Shape) && !shape.Contains(Dim.Unknown);

    /// <summary>Values that bodies of control flow return as they are: their readers are not found among the uses.</summary>
    private static HashSet<Value> ReturnedByBodies(Graph graph)
    {
        var found = new HashSet<Value>();
        foreach (Node node in graph.Nodes)
        {
            foreach (Graph body in node.Subgraphs())
            {
                found.UnionWith(body.Outputs.Where(output => output.Graph != body));
                found.UnionWith(ReturnedByBodies(body));
            }
        }
        return found;
    }
}
