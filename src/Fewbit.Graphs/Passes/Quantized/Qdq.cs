using Fewbit.Graphs.Operators;
using Fewbit.Graphs.Operators.Quantized;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Passes.Quantized;

/// <summary>Recognizes quantizers and dequantizers and reads their constants.</summary>
internal static class Qdq
{
    public static bool IsQuantizer(this Node node) => Is(node, "QuantizeLinear");

    public static bool IsDequantizer(this Node node) => Is(node, "DequantizeLinear");

    /// <summary>The nodes that read a value, one entry for each place.</summary>
    public static IEnumerable<Node> Readers(this Value value) => value.Uses.Select(use => use.Node);

    /// <summary>True where exactly one node reads the value and the graph does not return it.</summary>
    public static bool HasOneReader(this Value value) => value.Uses.Count == 1 && !value.IsOutput;

    /// <summary>The element type of the codes of a quantizer or dequantizer.</summary>
    public static ElementType CodeType(this Node node)
    {
        if (node.Input(2) is { } zeroPoint) return zeroPoint.Type;
        if (!node.IsQuantizer()) return node.Inputs[0]!.Type;
        return node.Int("output_dtype", 0) is not 0 and long stated ? (ElementType)stated : ElementType.UInt8;
    }

    /// <summary>A constant of one element: rank 0, or one dimension of length 1.</summary>
    public static bool IsScalarConstant(Value? value) => value is { IsConstant: true, Constant: { ElementCount: 1, Rank: <= 1 } };

    /// <summary>True where scale and, if it is there, zero point are scalar constants.</summary>
    public static bool HasScalarConstants(this Node node) =>
        IsScalarConstant(node.Input(1)) && (node.Input(2) is null || IsScalarConstant(node.Input(2)));

    /// <summary>The scale of a node with scalar constants, in float32.</summary>
    public static float Scale(this Node node) => Floats.Read(node.Inputs[1]!.Constant!)[0];

    /// <summary>The zero point of a node with scalar constants; 0 where it is left out.</summary>
    public static int ZeroPoint(this Node node) => node.Input(2) is { } value ? Codes.Read(value.Constant!)[0] : 0;

    /// <summary>True where two nodes state the same scalar scale, and the same zero point of the same type; both must state one.</summary>
    public static bool SharesConstants(Node a, Node b) =>
        a.Input(2) is not null && b.Input(2) is not null && a.HasScalarConstants() && b.HasScalarConstants()
        && a.Inputs[2]!.Type == b.Inputs[2]!.Type && a.ZeroPoint() == b.ZeroPoint()
        && a.Inputs[1]!.Type == b.Inputs[1]!.Type && a.Scale() == b.Scale();

    private static bool Is(Node node, string opType) => node.OpType == opType && node.Domain is ("" or "ai.onnx" or OperatorTable.MicrosoftDomain);
}
