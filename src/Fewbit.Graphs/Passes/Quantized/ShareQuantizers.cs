namespace Fewbit.Graphs.Passes.Quantized;

/// <summary>Lets equal quantizers of one value be one node: an operator fuses only where one quantizer reads its output.</summary>
/// <remarks>Equal means as ONNX Runtime sees it: scales of equal value, but the same zero point, since it shares constants of real numbers alone.</remarks>
internal static class ShareQuantizers
{
    public static bool Apply(Graph graph)
    {
        bool changed = false;
        foreach (Node node in graph.Nodes.ToArray())
        {
            if (!node.IsQuantizer() || node.Inputs[0] is not { } input || node.Outputs[0].IsOutput) continue;
            Node? first = input.Readers().FirstOrDefault(other => other.IsQuantizer() && (other == node || IsEqual(other, node)));
            if (first is null || first == node) continue;
            node.Outputs[0].ReplaceAllUsesWith(first.Outputs[0]);
            graph.Remove(node);
            changed = true;
        }
        return changed;
    }

    private static bool IsEqual(Node a, Node b) => a.Inputs[0] == b.Inputs[0] && a.Input(2) == b.Input(2)
        && a.HasScalarConstants() && b.HasScalarConstants() && a.Scale() == b.Scale();
}
