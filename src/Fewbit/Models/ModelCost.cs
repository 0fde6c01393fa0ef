using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Models;

/// <summary>Size and work of a network.</summary>
/// <param name="Parameters">Numbers that training learns; running statistics of batch normalization are none.</param>
/// <param name="MultiplyAdds">Multiply-adds of convolutions, matrix products and recurrent layers; those of attention included.</param>
public sealed record ModelCost(long Parameters, long MultiplyAdds)
{
    /// <summary>Counts a graph whose shapes are all known.</summary>
    internal static ModelCost Of(Graph graph) => new(
        graph.Constants.Where(IsParameter).Sum(value => value.Constant!.ElementCount),
        graph.Nodes.Select(LayerCost.Of).OfType<LayerCost>().Sum(layer => layer.MultiplyAdds ?? throw new InvalidOperationException($"Bug in the count: the shapes of '{layer.Node}' are not known")));

    private static bool IsParameter(Value value) => value.Constant is { Type: ElementType.Float32, Rank: > 0 }
        && !value.Uses.All(use => use.Node.Is("BatchNormalization") && use.Index >= 3);
}
