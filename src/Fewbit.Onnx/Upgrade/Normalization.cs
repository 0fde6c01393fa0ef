using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Onnx.Upgrade;

/// <summary>BatchNormalization before opset 9: statistics for each element of a sample where spatial is 0.</summary>
internal static class Normalization
{
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
