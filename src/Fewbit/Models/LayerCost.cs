using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Models;

/// <summary>What one node costs for one sample.</summary>
/// <param name="Node">Name of the node.</param>
/// <param name="OpType">Its operator.</param>
/// <param name="Output">Shape of its first output; "?" where it is not known.</param>
/// <param name="Parameters">Constant numbers that it multiplies by or adds.</param>
/// <param name="MultiplyAdds">Multiplications with an addition each; null where a length is not known.</param>
internal sealed record LayerCost(string Node, string OpType, string Output, long Parameters, long? MultiplyAdds)
{
    /// <summary>The cost of a node that multiplies by weights; null for other nodes.</summary>
    public static LayerCost? Of(Node node)
    {
        if (node.Domain.Length > 0 || node.OpType is not ("Conv" or "ConvTranspose" or "Gemm" or "MatMul" or "LSTM" or "GRU" or "RNN")) return null;
        long parameters = node.Inputs.Skip(1).Sum(input => input?.Constant is { } constant && constant.Type.IsFloat() ? constant.ElementCount : 0);
        return new(node.Name, node.OpType, node.Outputs[0].Shape?.ToString() ?? "?", parameters, Count(node));
    }

    private static long? Count(Node node)
    {
        (Value? input, Value? weight, Value output) = (node.Input(0), node.Input(1), node.Outputs[0]);
        if (weight?.Shape is not { IsKnown: true } w || input?.Shape is not { IsKnown: true } x) return null;
        return node.OpType switch
        {
            // Each output adds up the weights of one filter; each input of a transposed convolution is spread over one.
            "Conv" => output.Shape is { IsKnown: true } y ? y.ToShape().ElementCount * w.ToShape().CountOf(1, w.Rank) : null,
            "ConvTranspose" => x.ToShape().ElementCount * w.ToShape().CountOf(1, w.Rank),
            "Gemm" => output.Shape is { IsKnown: true } y ? y.ToShape().ElementCount * x[node.Int("transA", 0) != 0 ? 0 : 1].Length : null,
            "MatMul" => output.Shape is { IsKnown: true } y ? y.ToShape().ElementCount * x[x.Rank - 1].Length : null,
            // X is [steps, batch, inputs]; every step multiplies W and R.
            _ => node.Input(2)?.Shape is { IsKnown: true } r ? x[0].Length * x[1].Length * (w.ToShape().ElementCount + r.ToShape().ElementCount) : null,
        };
    }
}
