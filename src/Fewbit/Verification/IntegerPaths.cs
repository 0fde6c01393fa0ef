using Fewbit.Graphs;
using Fewbit.Graphs.Passes.Quantized;
using Fewbit.Tensors;

namespace Fewbit.Verification;

/// <summary>Finds the codes that depend on the model's inputs through integer and copying nodes only, in the graph as the runtime fuses it.</summary>
internal sealed class IntegerPaths
{
    private static readonly HashSet<string> s_copying = new(StringComparer.Ordinal)
    {
        "QuantizeLinear", "DequantizeLinear", "Identity", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Gather",
        "Expand", "Tile", "Concat", "Pad", "MaxPool", "DepthToSpace", "SpaceToDepth",
    };

    private readonly Graph _fused;
    private readonly HashSet<Value> _exact = [];

    /// <param name="quantized">A graph of QuantizeLinear and DequantizeLinear pairs; it is not changed.</param>
    public IntegerPaths(Graph quantized)
    {
        _fused = quantized.Clone();
        FuseQuantized.Apply(_fused);
        Inference.Infer(_fused);
        foreach (Node node in _fused.Nodes)
        {
            if (node.Inputs.All(IsExact) && node.Outputs.All(output => !output.Type.IsFloat() || s_copying.Contains(node.OpType))) _exact.UnionWith(node.Outputs);
        }
    }

    /// <summary>True where no float arithmetic lies between the model's inputs and the codes of that name.</summary>
    public bool IsInteger(string codes) => _fused.Find(codes) is { } value && IsExact(value);

    private bool IsExact(Value? value) => value?.Producer is null || _exact.Contains(value);
}
