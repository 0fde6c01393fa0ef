using Fewbit.Graphs.Operators;
using Fewbit.Graphs.Operators.Quantized;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Passes.Quantized;

/// <summary>
/// Turns int8 activations into uint8, since the kernels multiply unsigned by signed codes: code + 128 with zero point + 128 stands for the same number.
/// The int8 codes stay available under their name.
/// </summary>
internal static class UnsignedCodes
{
    public static void Apply(Graph graph)
    {
        foreach (Node node in graph.Nodes.ToArray())
        {
            if (node.IsQuantizer()) ConvertPair(graph, node);
        }
    }

    /// <summary>A quantizer that one dequantizer reads.</summary>
    private static void ConvertPair(Graph graph, Node quantizer)
    {
        if (!quantizer.Outputs[0].HasOneReader() || quantizer.Outputs[0].Uses[0].Node is not { } dequantizer || !dequantizer.IsDequantizer()) return;
        if (!IsSigned(quantizer.Input(2)) || !IsSigned(dequantizer.Input(2)) || quantizer.ZeroPoint() != dequantizer.ZeroPoint()) return;
        Value zeroPoint = Unsigned(graph, quantizer.Inputs[2]!), codes = quantizer.Outputs[0];
        int index = graph.IndexOf(quantizer);
        Node copy = graph.InsertNode(index, quantizer.Domain, quantizer.OpType, [quantizer.Inputs[0], quantizer.Inputs[1], zeroPoint], name: quantizer.Name);
        dequantizer.SetInput(0, copy.Outputs[0]);
        dequantizer.SetInput(2, zeroPoint);
        graph.Remove(quantizer);
        graph.InsertNode(index + 1, OperatorTable.FewbitDomain, "SignedCodes", quantizer.Name + "/signed", [copy.Outputs[0]], [codes], []);
    }

    private static bool IsSigned(Value? zeroPoint) => Qdq.IsScalarConstant(zeroPoint) && zeroPoint!.Type == ElementType.Int8;

    private static Value Unsigned(Graph graph, Value codes)
    {
        Tensor tensor = Tensor.AllocateUninitialized(ElementType.UInt8, codes.Constant!.Shape);
        Codes.Write(Array.ConvertAll(Codes.Read(codes.Constant), code => code + 128), tensor);
        return graph.AddConstant(codes.Name + "/unsigned", tensor);
    }
}
