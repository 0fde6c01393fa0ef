using Fewbit.Onnx.Protos;

namespace Fewbit.Onnx;

/// <summary>What a file says of a graph beyond the graph itself: annotations, producer, unknown fields.</summary>
/// <param name="Graph">The graph's message without what <see cref="Graphs.Graph"/> holds.</param>
/// <param name="Model">The same of the model; null for a subgraph.</param>
/// <param name="OpsetVersion">Version of the standard operators in the file, before they were upgraded.</param>
internal sealed record GraphOrigin(GraphProto Graph, ModelProto? Model, int OpsetVersion = 0);

/// <summary>What a file says of a value beyond the value itself: documentation, denotation, unknown fields.</summary>
internal sealed record ValueOrigin
{
    /// <summary>The declaration among inputs, outputs or value infos.</summary>
    public ValueInfoProto? Info { get; init; }

    /// <summary>The initializer without its elements.</summary>
    public TensorProto? Tensor { get; init; }

    /// <summary>True for an initializer that was a graph input too: a default that a caller could override.</summary>
    public bool IsDefaultOfInput { get; init; }

    /// <summary>True for a node's output that had no name, since nothing reads it.</summary>
    public bool IsUnnamed { get; init; }
}
