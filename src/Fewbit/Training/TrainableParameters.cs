using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Training;

/// <summary>Finds the constants of a graph that training learns.</summary>
internal static class TrainableParameters
{
    private const float MaskSize = 1e4f; // attention masks hold such numbers, weights do not

    /// <summary>The learned constants, in the order in which nodes read them.</summary>
    public static IReadOnlyList<Value> Find(Graph graph)
    {
        var found = new List<Value>();
        var seen = new HashSet<Value>();
        foreach (Node node in graph.Nodes)
        {
            for (int i = 0; i < node.Inputs.Count; i++)
            {
                if (Source(node.Inputs[i]) is { } weight && IsLearned(node, i) && !IsMask(weight) && seen.Add(weight)) found.Add(weight);
            }
        }
        return found;
    }

    /// <summary>The float32 constant that an input is, or is a view of.</summary>
    private static Value? Source(Value? value)
    {
        while (value?.Producer is { } view && (view.Is("Transpose") || view.Is("Reshape") || view.Is("Unsqueeze") || view.Is("Squeeze") || view.Is("Identity") || view.Is("Pad") || view.Is("Expand"))) value = view.Inputs[0];
        return value is { Constant.Type: ElementType.Float32 } ? value : null;
    }

    private static bool IsLearned(Node node, int index) => node.Domain.Length == 0 && node.OpType switch
    {
        "Conv" or "ConvTranspose" or "Gemm" or "InstanceNormalization" or "LayerNormalization" or "GroupNormalization" or "RMSNormalization" => index > 0,
        "BatchNormalization" => index is 1 or 2,
        "LSTM" or "GRU" or "RNN" => index is 1 or 2 or 3,
        "PRelu" => index == 1,
        "Gather" => index == 0 && Source(node.Inputs[0])!.Constant!.Rank >= 2,
        "MatMul" => Source(node.Inputs[index])!.Constant!.Rank >= 2,
        // A lone number is a constant of a formula; what is applied to the model's input is its preprocessing.
        "Add" or "Sub" or "Mul" or "Div" => Source(node.Inputs[index])!.Constant!.ElementCount > 1 && node.Inputs[1 - index] is { } other && !node.Graph.Inputs.Contains(other),
        "Concat" => Source(node.Inputs[index])!.Constant!.ElementCount > 1,
        _ => false,
    };

    private static bool IsMask(Value weight)
    {
        foreach (float number in weight.Constant!.Span<float>())
        {
            if (!(MathF.Abs(number) < MaskSize)) return true;
        }
        return false;
    }
}
