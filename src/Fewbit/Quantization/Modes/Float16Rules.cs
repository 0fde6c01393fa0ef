using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>Which nodes can compute in float16, and why not the others.</summary>
internal sealed class Float16Rules
{
    /// <summary>The largest finite float16.</summary>
    public const float Largest = 65504;

    // Numbers that are positions, sizes, scores to be ranked, or integers as floats: half their digits is not enough. Or the runtime has only float32.
    private static readonly HashSet<string> s_float32Only = new(StringComparer.Ordinal)
    {
        "Resize", "Upsample", "Range", "CumSum", "NonMaxSuppression", "RoiAlign", "MaxRoiPool", "TopK", "ConstantOfShape", "EyeLike", "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike",
        "Multinomial", "Bernoulli", "Cast", "CastLike", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "GridSample", "AffineGrid", "DeformConv", "Det", "DFT", "STFT", "MelWeightMatrix", "BitCast",
        "If", "Loop", "Scan", "SequenceMap", "OneHot", "Constant", "BlackmanWindow", "HammingWindow", "HannWindow", "StringNormalizer", "TfIdfVectorizer", "RNN", "GRU", "LSTM", "LRN", "Unique", "ReverseSequence",
    };

    private readonly HashSet<string> _kept;
    private readonly IReadOnlyDictionary<string, float>? _largest;

    /// <exception cref="ArgumentException">A kept name is neither a node of the model nor an operator in it.</exception>
    public Float16Rules(Graph graph, Float16Options options)
    {
        (_kept, _largest) = (options.KeepInFloat.ToHashSet(StringComparer.Ordinal), options.LargestValues);
        var known = graph.Nodes.SelectMany(node => new[] { node.Name, node.OpType }).ToHashSet(StringComparer.Ordinal);
        foreach (string name in _kept.Where(name => !known.Contains(name)))
            throw new ArgumentException($"the model has no node or operator '{name}' to keep in float{Data.Closest.Suggestion(name, known)}", nameof(options));
    }

    /// <summary>Null where the node can compute in float16.</summary>
    public string? WhyNot(Node node)
    {
        if (_kept.Contains(node.Name) || _kept.Contains(node.OpType)) return "kept in float32";
        if (node.Domain.Length > 0) return "its operator is not of the ONNX standard";
        if (s_float32Only.Contains(node.OpType)) return $"{node.OpType} needs float32";
        // A value of unknown type might be float32: then the node would read two types.
        if (node.Inputs.Concat(node.Outputs).OfType<Value>().Any(value => value.Type == ElementType.Undefined && (value.Producer != node || value.Uses.Count > 0))) return "a type at it is not known";
        foreach (Value input in node.Inputs.OfType<Value>().Where(input => input.Type == ElementType.Float32))
        {
            if (input.Constant is { } constant && WhyNot(input.Name, constant.Span<float>()) is { } reason) return reason;
        }
        Value? beyond = node.Inputs.Concat(node.Outputs).OfType<Value>().FirstOrDefault(value => _largest is not null && _largest.TryGetValue(value.Name, out float largest) && !(largest <= Largest));
        return beyond is null ? null : $"'{beyond.Name}' reaches {_largest![beyond.Name]:G4}, float16 ends at 65504";
    }

    /// <summary>Why a constant has no float16 form; null where it has one.</summary>
    private static string? WhyNot(string name, ReadOnlySpan<float> values)
    {
        foreach (float value in values)
        {
            if (MathF.Abs(value) > Largest && float.IsFinite(value)) return $"'{name}' holds {value:G4}, float16 ends at 65504";
        }
        // Alone it keeps a division from 0, and 0 would not.
        return values.Length == 1 && values[0] != 0 && (Half)values[0] == Half.Zero ? $"'{name}' is {values[0]:G4}, which is 0 in float16" : null;
    }
}
