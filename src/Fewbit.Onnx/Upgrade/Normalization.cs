using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Onnx.Upgrade;

/// <summary>BatchNormalization before opset 9: statistics for each element of a sample where spatial is 0.</summary>
internal static class Normalization
{
    /// <summary>GroupNormalization before opset 21: scale and bias for each group, now for each channel.</summary>
    public static void ScaleChannels(NodeRewriter node)
    {
        long groups = node.Node.Int("num_groups");
        Dim channels = node.Node.Inputs[0]!.Shape is { Rank: > 1 } shape ? shape[1] : Dim.Unknown;
        node.Node.Expect(channels.IsKnown && groups > 0 && channels.Length % groups == 0, $"scales {groups} groups of {channels} channels, expected a known number of channels that the groups share equally: it stands beside operators of opset 21");
        Value inColumns = node.Constant("column", Tensor.From<long>(groups, 1)), all = node.Constant("repeated", Tensor.From(groups, channels.Length / groups)), flat = node.Constant("flat", Tensor.From(-1L));
        for (int i = 1; i <= 2; i++)
            node.Node.SetInput(i, node.Before("Reshape", [node.Before("Expand", [node.Before("Reshape", [node.Node.Inputs[i], inColumns]), all]), flat]));
        node.Node.Invalidate();
    }

    /// <summary>BatchNormalization 7: statistics for each element of a sample where spatial is 0.</summary>
    public static void DropSpatial(NodeRewriter node)
    {
        if (node.TakeInt("spatial", 1) != 0) return;
        Node old = node.Node;
        old.Expect(old.Outputs.Count == 1, $"normalizes each element (spatial = 0) and returns {old.Outputs.Count} outputs, expected 1: training has no equivalent in opset {OpsetUpgrade.Target}");
        (Value x, Value scale, Value bias, Value mean, Value variance) = (old.Inputs[0]!, old.Inputs[1]!, old.Inputs[2]!, old.Inputs[3]!, old.Inputs[4]!);
        Value epsilon = node.Constant("epsilon", Tensor.Scalar(old.Float("epsilon", 1e-5f)));
        Value deviation = node.Before("Sqrt", [node.Before("Add", [variance, epsilon])]);
        Value normalized = node.Before("Div", [node.Before("Sub", [x, mean]), deviation]);
        node.Replace("Add", [node.Before("Mul", [normalized, scale]), bias], []);
    }
}
