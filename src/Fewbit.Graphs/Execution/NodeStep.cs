using Fewbit.Tensors;

namespace Fewbit.Graphs.Execution;

/// <summary>One node that has just run.</summary>
/// <param name="Node">The node.</param>
/// <param name="Inputs">What it read; null where an input is left out.</param>
/// <param name="Outputs">What it computed, in the order of its outputs.</param>
public sealed record NodeStep(Node Node, IReadOnlyList<Tensor?> Inputs, IReadOnlyList<Tensor> Outputs);
