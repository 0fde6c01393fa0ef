namespace Fewbit.Graphs.Passes.Quantized;

/// <summary>
/// Carries dequantizers forward and quantizers backward over nodes that only move or choose values: a pair with the same constants is inserted on the far side,
/// so that the computation there meets a quantizer. Values do not change.
/// </summary>
internal static class PropagateQuantization
{
    public static bool Apply(Graph graph) => Forward(graph) | Backward(graph);

    private static bool Forward(Graph graph)
    {
        bool changed = false;
        foreach (Node dequantizer in graph.Nodes.ToArray())
        {
            if (!dequantizer.IsDequantizer() || !dequantizer.Outputs[0].HasOneReader() || !dequantizer.HasScalarConstants()) continue;
            var pending = new Stack<Node>(dequantizer.Outputs[0].Readers());
            while (pending.TryPop(out Node? mover))
            {
                if (!Moves(mover) || mover.Outputs[0] is { IsOutput: true, Uses.Count: > 0 }) continue;
                Value moved = mover.Outputs[0];
                Use[] uses = [.. moved.Uses.Where(use => !use.Node.IsQuantizer())];
                if (uses.Length == 0 && !moved.IsOutput) continue;
                InsertPair(moved, uses, dequantizer);
                changed = true;
                foreach (Use use in uses) pending.Push(use.Node);
            }
        }
        return changed;
    }

    private static bool Backward(Graph graph)
    {
        bool changed = false;
        foreach (Node quantizer in graph.Nodes.ToArray())
        {
            if (!quantizer.IsQuantizer() || !quantizer.HasScalarConstants()) continue;
            Value value = quantizer.Inputs[0]!;
            while (value.HasOneReader() && value.Producer is { } mover && Moves(mover))
            {
                Value source = mover.Inputs[0]!;
                if (source.Constant is not null || source.Producer is { } producer && (producer.IsDequantizer() || !source.HasOneReader())) break;
                InsertPair(source, [new Use(mover, 0)], quantizer);
                changed = true;
                value = source;
            }
        }
        return changed;
    }

    /// <summary>value -> Q -> DQ -> each of the uses; without uses, to the graph's output.</summary>
    private static void InsertPair(Value value, Use[] uses, Node like)
    {
        Graph graph = value.Graph;
        int index = value.Producer is { } producer ? graph.IndexOf(producer) + 1 : 0;
        Value codes = graph.InsertNode(index, like.Domain, "QuantizeLinear", [value, like.Inputs[1], like.Input(2)], name: value.Name + "/quantize").Outputs[0];
        for (int i = 0; i < Math.Max(1, uses.Length); i++)
        {
            Value dequantized = graph.InsertNode(++index, like.Domain, "DequantizeLinear", [codes, like.Inputs[1], like.Input(2)], name: value.Name + "/dequantize").Outputs[0];
            if (uses.Length > 0) uses[i].Node.SetInput(uses[i].Index, dequantized);
            else graph.ReplaceOutput(value, dequantized);
        }
    }

    private static bool Moves(Node node) => node.Domain.Length == 0 && node.OpType switch
    {
        "MaxPool" => node.OpsetVersion >= 12,
        "Reshape" or "Transpose" or "Squeeze" or "Unsqueeze" or "Slice" => true,
        _ => false,
    };
}
