using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Graphs.Operators;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Quantization;

/// <summary>Writes the quantizer of a value: the nodes from its numbers to codes and back.</summary>
internal sealed class ActivationWriter(Graph graph)
{
    private readonly Dictionary<Value, (Value Scale, Value ZeroPoint)> _constants = [];

    /// <summary>Scale and zero point as constants, one pair for all values that share them.</summary>
    /// <param name="root">The value whose range they are of.</param>
    /// <param name="parameters">What they hold.</param>
    public (Value Scale, Value ZeroPoint) ConstantsOf(Value root, QuantizationParameters parameters)
    {
        if (_constants.TryGetValue(root, out var known)) return known;
        Tensor zeroPoint = TypedCodes.Pack([parameters.ZeroPoint], [], parameters.Numbers, ActivationForms.CodeType(parameters.Numbers));
        return _constants[root] = (graph.AddConstant(root.Name + "_scale", Tensor.Scalar(parameters.Scale)), graph.AddConstant(root.Name + "_zero_point", zeroPoint));
    }

    /// <summary>Codes of a value.</summary>
    /// <param name="name">What the nodes are named after.</param>
    /// <param name="source">The numbers.</param>
    /// <param name="root">The value whose scale and zero point it takes.</param>
    /// <param name="parameters">These.</param>
    /// <param name="range">Lowest and highest code that may come out; null where they are in range already.</param>
    public Value Quantize(string name, Value source, Value root, QuantizationParameters parameters, (int Low, int High)? range)
    {
        (Value scale, Value zeroPoint) = ConstantsOf(root, parameters);
        ElementType type = zeroPoint.Type;
        (int low, int high) = range is { } given && given != Whole(type) ? given : Whole(type);
        bool isClipped = (low, high) != Whole(type);
        if (isClipped && type.BitWidth() == 16) source = ClipNumbers(name, source, parameters, low, high);
        if (type.IsFloat()) source = KeepClip(name, source);
        Value codes = Add("QuantizeLinear", name + "_quantize", [source, scale, zeroPoint], name + (isClipped && type.BitWidth() == 8 ? $"_quantized_{type.Name()}" : "_quantized"), type, source.Shape);
        if (!isClipped || type.BitWidth() != 8) return codes;
        Value lowest = graph.AddConstant(name + "_quantized_min", AffineQuantizer.Pack([low], [], type)), highest = graph.AddConstant(name + "_quantized_max", AffineQuantizer.Pack([high], [], type));
        return Add("Clip", name + "_clip", [codes, lowest, highest], name + "_quantized", type, source.Shape);
    }

    /// <summary>The numbers of codes.</summary>
    public Value Dequantize(string name, Value codes, Value root, QuantizationParameters parameters, SymbolicShape? shape)
    {
        (Value scale, Value zeroPoint) = ConstantsOf(root, parameters);
        if (!zeroPoint.Type.IsFloat()) return Add("DequantizeLinear", name + "_dequantize", [codes, scale, zeroPoint], name + "_dequantized", ElementType.Float32, shape);
        Value numbers = Add("Cast", name + "_cast", [codes], name + "_numbers", ElementType.Float32, shape, new() { { "to", (long)ElementType.Float32 } });
        return Add("Mul", name + "_dequantize", [numbers, scale], name + "_dequantized", ElementType.Float32, shape);
    }

    /// <summary>The rounded numbers of a format that has no kernel.</summary>
    public Value Simulate(string name, Value source, QuantizationParameters parameters)
    {
        NumberFormat format = parameters.Numbers;
        float[] levels = format.Numbers();
        int[] codes = Array.ConvertAll(levels, level => format.Encode(level));
        var table = new LevelTable(levels, codes);
        Value real = graph.AddValue(graph.UniqueName(name + "_dequantized"));
        graph.InsertNode(graph.Nodes.Count, OperatorTable.FewbitDomain, "LevelQuantize", name + "_simulate", [source, graph.AddConstant(name + "_scale", Tensor.Scalar(parameters.Scale))], [real],
            new() { { "levels", levels }, { "codes", Array.ConvertAll(codes, code => (long)code) }, { "thresholds", table.Thresholds[..Math.Max(2, table.SearchSize)] }, { "format", format.Name } });
        return real;
    }

    /// <summary>A node with one result of a known type.</summary>
    public Value Add(string opType, string name, IEnumerable<Value?> inputs, string output, ElementType type, SymbolicShape? shape, Attributes? attributes = null)
    {
        Value value = graph.AddValue(graph.UniqueName(output));
        graph.InsertNode(graph.Nodes.Count, "", opType, name, inputs, [value], attributes ?? []);
        (value.Type, value.Shape) = (type, value.Shape ?? shape);
        return value;
    }

    private static (int Low, int High) Whole(ElementType type) => new IntegerFormat(type.BitWidth(), type != ElementType.UInt8 && type != ElementType.UInt16) is var format ? (format.Min, format.Max) : default;

    /// <summary>No runtime clips 16-bit codes.</summary>
    private Value ClipNumbers(string name, Value source, QuantizationParameters parameters, int low, int high)
    {
        Value lowest = graph.AddConstant(name + "_min", Tensor.Scalar(AffineQuantizer.Dequantize(low, parameters.Scale, parameters.ZeroPoint)));
        Value highest = graph.AddConstant(name + "_max", Tensor.Scalar(AffineQuantizer.Dequantize(high, parameters.Scale, parameters.ZeroPoint)));
        return Add("Clip", name + "_clip", [source, lowest, highest], name + "_clipped", ElementType.Float32, source.Shape);
    }

    /// <summary>
    /// ONNX Runtime 1.30 drops a Relu in front of a quantizer to 8-bit floats, taking their zero point 0 for their lowest code, and does not load a Clip there:
    /// Max and Min do the same and stay.
    /// </summary>
    private Value KeepClip(string name, Value source)
    {
        if (source.Producer is not { } clip || !(clip.Is("Relu") || clip.Is("Clip")) || OperatorRules.ClipBounds(clip) is not { } bounds) return source;
        Value kept = clip.Inputs[0]!;
        if (float.IsFinite(bounds.Min)) kept = Add("Max", name + "_above", [kept, graph.AddConstant(name + "_lowest", Tensor.Scalar(bounds.Min))], name + "_kept", ElementType.Float32, source.Shape);
        if (float.IsFinite(bounds.Max)) kept = Add("Min", name + "_below", [kept, graph.AddConstant(name + "_highest", Tensor.Scalar(bounds.Max))], name + "_kept", ElementType.Float32, source.Shape);
        return kept;
    }
}
