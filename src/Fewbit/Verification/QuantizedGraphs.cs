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

/// <summary>Finds the codes that depend on the model's inputs through integer and copying nodes only.</summary>
internal sealed class IntegerPaths
{
    private readonly Dictionary<Value, bool> _known = [];

    /// <summary>True where no float arithmetic lies between the model's inputs and these codes.</summary>
    public bool IsInteger(Value codes)
    {
        if (_known.TryGetValue(codes, out bool known)) return known;
        return _known[codes] = codes.Constant is not null || (codes.Producer is { } producer && IsIntegerResult(producer));
    }

    private bool IsIntegerResult(Node node)
    {
        // Pad and Clip may run on codes directly.
        if (!node.Is("QuantizeLinear")) return node.Inputs[0] is { } codes && IsInteger(codes);
        if (node.Inputs[0]!.Producer is not { } source) return node.Inputs[0]!.Constant is null;
        if (source.Is("DequantizeLinear")) return IsInteger(source.Inputs[0]!);
        return QuantizedGraphs.RunsOnCodes(source) && DataInputs(source).All(input => QuantizedGraphs.DequantizerOf(input) is { } dequantizer && IsInteger(dequantizer.Inputs[0]!));
    }

    private static IEnumerable<Value> DataInputs(Node node) => node.Inputs.OfType<Value>().Where(input => input.Type == Tensors.ElementType.Float32 && (input.Constant is null || node.OpType is "Add" or "Mul" or "Concat"));
}
