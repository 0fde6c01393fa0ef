using Fewbit.Graphs.Operators.Quantized;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Passes.Quantized;

/// <summary>Gives a scalar constant beside a dequantized input of Where codes of its own, so that the group fuses, as ONNX Runtime does: the number lies at an end of its range.</summary>
internal static class QuantizeWhereConstants
{
    public static bool Apply(Graph graph)
    {
        bool changed = false;
        foreach (Node node in graph.Nodes.ToArray())
        {
            if (!node.Is("Where") || node.Outputs[0].Uses is not [{ Node: var quantizer }] || !quantizer.IsQuantizer()) continue;
            foreach ((int side, int constant) in (ReadOnlySpan<(int, int)>)[(1, 2), (2, 1)])
            {
                if (node.Inputs[side]?.Producer is not { } dequantizer || !dequantizer.IsDequantizer() || dequantizer.CodeType() != quantizer.CodeType()) continue;
                if (node.Inputs[constant] is not { IsConstant: true, Constant: { Rank: 0, Type: ElementType.Float32 } number } || dequantizer.Input(2) is null) continue;
                node.SetInput(constant, Dequantized(node, node.Inputs[constant]!.Name, number.Item<float>(), dequantizer.CodeType()));
                changed = true;
            }
        }
        return changed;
    }

    private static Value Dequantized(Node node, string name, float number, ElementType type)
    {
        (int min, int max) = CodeRange.Of(type);
        int zeroPoint = min < 0 ? 0 : max / 2, code = number > 0 ? max : number < 0 ? min : zeroPoint;
        float scale = number == 0 ? 1 : number / (code - zeroPoint);
        Graph graph = node.Graph;
        Value[] inputs = [Constant(graph, name + "/codes", code, type), graph.AddConstant(name + "/scale", Tensor.Scalar(scale)), Constant(graph, name + "/zero", zeroPoint, type)];
        return graph.InsertNode(graph.IndexOf(node), "", "DequantizeLinear", inputs, name: name + "/dequantize").Outputs[0];
    }

    private static Value Constant(Graph graph, string name, int code, ElementType type)
    {
        Tensor tensor = Tensor.Allocate(type, Shape.Scalar);
        Codes.Write([code], tensor);
        return graph.AddConstant(name, tensor);
    }
}
