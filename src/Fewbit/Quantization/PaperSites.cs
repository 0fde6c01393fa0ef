using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>The values that the papers on learned rounding quantize: what integer layers read, at the node that computes it.</summary>
/// <remarks>
/// Li et al., "BRECQ", 2021, arXiv:2102.05426, and Wei et al., "QDrop", 2022, arXiv:2203.05740: a quantizer stands behind a layer's activation, none stands
/// between a layer and the sum that it goes into, the sum has one behind its activation. Said from the reader's side this needs no names of modules:
/// from the input of each layer back through nodes that move, pool or join numbers, to the node that computes them.
/// </remarks>
internal static class PaperSites
{
    private static readonly HashSet<string> s_transparent = new(StringComparer.Ordinal) { "AveragePool", "GlobalAveragePool", "Concat", "Identity", "Dropout", "ReduceMean" };

    /// <summary>The sites of all integer layers.</summary>
    /// <param name="layers">Conv, Gemm and MatMul nodes that read quantized numbers.</param>
    public static HashSet<Value> Find(IEnumerable<Node> layers)
    {
        var sites = new HashSet<Value>();
        foreach (Node layer in layers) sites.UnionWith(ReadBy(layer));
        return sites;
    }

    /// <summary>The sites whose numbers a layer reads. Graph inputs and constants are none.</summary>
    public static IEnumerable<Value> ReadBy(Node layer) => OperatorRules.DataInputs(layer).SelectMany(Behind).Distinct();

    /// <summary>The sites that hold a layer's own result, behind its activation; none where it goes into a sum.</summary>
    public static IEnumerable<Value> WrittenBy(Node layer, IReadOnlySet<Value> sites)
    {
        Value result = layer.Outputs[0];
        while (!sites.Contains(result))
        {
            if (result.Uses is not [{ Node: { Outputs: [var next] } reader }] || OperatorRules.Classify(reader).Role == NodeRole.Compute || reader.Inputs.Count(input => input is { Constant: null }) > 1) return [];
            result = next;
        }
        return [result];
    }

    /// <summary>The sites whose numbers a value holds, if it is read by a layer.</summary>
    public static IEnumerable<Value> Behind(Value value)
    {
        if (value.Type != ElementType.Float32 || value.Producer is not { } producer) return [];
        bool isTransparent = (producer.Domain.Length == 0 && s_transparent.Contains(producer.OpType)) || OperatorRules.Classify(producer).Role is NodeRole.PassThrough or NodeRole.Pad;
        return isTransparent ? OperatorRules.DataInputs(producer).SelectMany(Behind) : [value];
    }
}
