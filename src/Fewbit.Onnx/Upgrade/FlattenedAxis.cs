using Fewbit.Graphs;

namespace Fewbit.Onnx.Upgrade;

/// <summary>Softmax, LogSoftmax, Hardmax before opset 13: the input was seen as a matrix, the dimensions from the axis on being its columns.</summary>
internal static class FlattenedAxis
{
    public static void Rewrite(NodeRewriter node)
    {
        long axis = node.TakeInt("axis", 1);
        if (SingleAxis(axis, node.Node) is { } same)
        {
            node.Set("axis", same);
            return;
        }
        Value input = node.Node.Inputs[0]!;
        Value shape = node.Before("Shape", [input]);
        node.Node.SetInput(0, node.Before("Flatten", [input], new() { { "axis", axis } }));
        node.Set("axis", -1L);
        node.Behind(0, "Reshape", matrix => [matrix, shape]);
    }

    /// <summary>The axis that means the same now: all dimensions but one from the old axis on have length 1.</summary>
    private static long? SingleAxis(long axis, Node node)
    {
        if (axis == -1) return -1;
        if (node.Inputs[0]!.Shape is not { Rank: > 0 } shape) return null;
        int first = node.Axis(axis, shape.Rank);
        int[] longer = [.. Enumerable.Range(first, shape.Rank - first).Where(d => shape[d] != 1)];
        return longer.Length > 1 ? null : longer.Length == 1 ? longer[0] : first;
    }
}
