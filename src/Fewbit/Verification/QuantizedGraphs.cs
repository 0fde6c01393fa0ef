using Fewbit.Graphs;

namespace Fewbit.Verification;

/// <summary>Readings of a graph with QuantizeLinear and DequantizeLinear nodes.</summary>
internal static class QuantizedGraphs
{
    private static readonly HashSet<string> s_integer = new(StringComparer.Ordinal)
    {
        "Conv", "Gemm", "MatMul", "Add", "Mul", "Concat", "GlobalAveragePool", "AveragePool", "LeakyRelu", "Sigmoid", "Softmax", "Where",
        "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Gather", "Expand", "Tile", "MaxPool", "Resize",
    };

    /// <summary>Codes after the Clip that narrows them below 8 bits, where there is one.</summary>
    public static Value FinalCodes(Value codes) => codes.Uses is [{ Node: var clip, Index: 0 }] && clip.Is("Clip") ? clip.Outputs[0] : codes;

    /// <summary>True for operators that ONNX Runtime runs on codes when all their data are dequantized codes and their results are quantized.</summary>
    public static bool RunsOnCodes(Node node) => node.Domain.Length == 0 && s_integer.Contains(node.OpType);

    /// <summary>The QuantizeLinear that reads a value and nothing else does; null where there is none.</summary>
    public static Node? QuantizerOf(Value value) => value.Uses is [{ Node: var reader, Index: 0 }] && reader.Is("QuantizeLinear") ? reader : null;

    /// <summary>The node that dequantizes a value; null where the value is not dequantized.</summary>
    public static Node? DequantizerOf(Value? value) => value?.Producer is { } producer && producer.Is("DequantizeLinear") ? producer : null;
}
