using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Tensors;

namespace Fewbit.Targets;

/// <summary>The values that TensorRT wants quantized: what layers with weights read, and one side of each sum.</summary>
/// <remarks>
/// "Q/DQ Layer-Placement Recommendations" of the TensorRT documentation: quantize all inputs of weighted operations, by default not their outputs, and the
/// residual input of a skip connection: then the layer in front of the sum takes the sum, the Relu and the quantizer behind them into its own kernel.
/// </remarks>
internal static class WeightedInputs
{
    /// <summary>The values, in no order.</summary>
    /// <param name="graph">A prepared float graph.</param>
    /// <param name="layers">Conv, Gemm and MatMul nodes that compute on codes.</param>
    public static HashSet<Value> Find(Graph graph, IReadOnlySet<Node> layers)
    {
        HashSet<Value> found = [.. layers.SelectMany(OperatorRules.DataInputs)];
        // An average runs on codes where both its ends have them.
        found.UnionWith(graph.Nodes.Where(node => node.OpType is "AveragePool" or "GlobalAveragePool" && found.Contains(node.Outputs[0])).Select(node => node.Inputs[0]!).ToArray());
        foreach (Node sum in graph.Nodes.Where(node => node.Is("Add")))
        {
            if (ResidualOf(sum, layers, found) is { } residual) found.Add(residual);
        }
        return found;
    }

    /// <summary>The side of a sum that gets a quantizer: not the layer which is to take the sum in. Null where no layer could.</summary>
    private static Value? ResidualOf(Node sum, IReadOnlySet<Node> layers, HashSet<Value> quantized)
    {
        Value[] sides = [.. sum.Inputs.OfType<Value>().Where(input => input is { Constant: null, Type: ElementType.Float32 })];
        if (sides.Length != 2 || sides[0] == sides[1]) return null;
        Value? layer = sides.FirstOrDefault(side => side.Producer is { } producer && layers.Contains(producer) && side.Uses.Count == 1 && !side.IsOutput && !quantized.Contains(side));
        return layer is null ? null : sides.First(side => side != layer);
    }
}
