namespace Fewbit.Graphs.Passes.Quantized;

/// <summary>A node with the dequantizers in front of it and the quantizers behind it, an activation that the quantizer makes redundant in between.</summary>
/// <param name="Target">The node that may be fused.</param>
/// <param name="Activation">Relu or Clip between the node and its quantizer; null where there is none.</param>
/// <param name="Dequantizers">Dequantizers of the inputs, in the order of the inputs.</param>
/// <param name="Quantizers">Quantizers of the outputs, in the order of the outputs.</param>
internal sealed record QuantizedGroup(Node Target, Node? Activation, IReadOnlyList<Node> Dequantizers, IReadOnlyList<Node> Quantizers)
{
    /// <summary>Whether products take int8 activations.</summary>
    public bool TakesInt8 { get; init; }

    public static QuantizedGroup Around(Node target)
    {
        Node? activation = null;
        if (Edges(target) == 1 && target.Outputs.SelectMany(output => output.Readers()).First() is { } next && (next.Is("Relu") || next.Is("Clip")) && next.Outputs[0].HasOneReader())
        {
            activation = next;
        }
        Node[] dequantizers = [.. target.Inputs.Select(input => input?.Producer).Where(node => node?.IsDequantizer() == true).Cast<Node>()];
        return new(target, activation, dequantizers, [.. (activation ?? target).Outputs.SelectMany(output => output.Uses).Where(use => use.Index == 0 && use.Node.IsQuantizer()).Select(use => use.Node)]);
    }

    /// <summary>Places where nodes read an output of the node.</summary>
    public static int Edges(Node node) => node.Outputs.Sum(output => output.Uses.Count);

    /// <summary>Checks what every group needs.</summary>
    /// <param name="dequantizers">Inputs that must be dequantized; null for all.</param>
    /// <param name="needsQuantizer">Whether the output must be quantized.</param>
    /// <returns>Why the group stays as it is; null where it can be fused.</returns>
    public string? Check(int? dequantizers = null, bool needsQuantizer = true)
    {
        int expected = dequantizers ?? Target.Inputs.Count(input => input is not null);
        if (Dequantizers.Count != expected) return $"{Dequantizers.Count} of {expected} inputs come from DequantizeLinear";
        if (CheckEdges() is { } reason) return reason;
        if (Quantizers.Count == 0) return needsQuantizer ? "no QuantizeLinear reads its output" : null;
        if (Target.Outputs.Any(output => output.IsOutput)) return "the graph returns its float output";
        if (Quantizers.Count != Target.Outputs.Count || Quantizers.Count != Edges(Target)) return "its float output has more readers than one QuantizeLinear";
        return null;
    }

    /// <summary>Checks that dequantizers and activation serve this node alone.</summary>
    public string? CheckEdges()
    {
        if (Dequantizers.FirstOrDefault(node => !node.Outputs[0].HasOneReader()) is { } shared) return $"its input '{shared.Outputs[0].Name}' has other readers";
        if (Activation is null) return null;
        if (Target.Outputs.Any(output => output.IsOutput)) return "the graph returns its float output";
        if (Quantizers.Count != 1) return $"no QuantizeLinear follows {Activation}";
        return RemoveRedundantActivations.IsRedundantBefore(Activation, Quantizers[0]) ? null
            : $"{Activation} behind it changes what QuantizeLinear '{Quantizers[0].Name}' sees: after Relu the zero point must be the lowest code";
    }
}
