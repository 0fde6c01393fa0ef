using Fewbit.Graphs;

namespace Fewbit.Reconstruction;

/// <summary>A part of a graph between two cuts: what it computes from the values that enter it. Values that pass around it are none of its business.</summary>
/// <param name="Name">Name of its last layer, or of its last node.</param>
/// <param name="Nodes">In an order in which they run.</param>
/// <param name="Inputs">Real values that it reads and does not compute.</param>
/// <param name="Outputs">Real values that it computes and others read, or the model returns.</param>
/// <param name="Layers">The nodes among them whose weights are quantized; none where a unit only moves or pools.</param>
internal sealed record ReconstructionUnit(string Name, IReadOnlyList<Node> Nodes, IReadOnlyList<Value> Inputs, IReadOnlyList<Value> Outputs, IReadOnlyList<Node> Layers)
{
    /// <summary>The form of messages: 'layer1.0.conv2' (2 layers).</summary>
    public override string ToString() => $"'{Name}' ({Layers.Count} {(Layers.Count == 1 ? "layer" : "layers")})";
}

/// <summary>How much of a network is reconstructed at once.</summary>
public enum UnitGranularity
{
    /// <summary>One layer with weights and the activation behind it.</summary>
    Layers,

    /// <summary>Residual blocks, inverted residuals and other branches that meet again; single layers elsewhere.</summary>
    Blocks,
}
