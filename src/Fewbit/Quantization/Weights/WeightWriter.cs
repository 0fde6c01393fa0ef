using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>Writes the codes of a weight, and the standard nodes that make numbers of them.</summary>
internal sealed class WeightWriter(Graph graph)
{
    /// <summary>The float value that the codes stand for.</summary>
    public Value Write(string name, QuantizedWeight weight)
    {
        WeightForm form = weight.Form;
        var nodes = new NodeInserter(graph, graph.Nodes.Count, name);
        if (!form.IsDequantized) return Scaled(nodes, name, weight, form.Storage == WeightStorage.Converted ? Converted(nodes, name, weight) : Gathered(nodes, name, weight, isInteger: false));
        (Value codes, ElementType type, int[] zeroPoints) = form.Storage switch
        {
            WeightStorage.Typed => (Stored(name, weight), form.StoredType, weight.Parameters.ZeroPoints.ToArray()),
            WeightStorage.Cast => Centred(nodes, weight, Stored(name, weight), 0),
            WeightStorage.Words => Centred(nodes, weight, Unpacked(nodes, name, weight), LowestCode(weight)),
            WeightStorage.IntegerTable => (Gathered(nodes, name, weight, isInteger: true), ElementType.Int8, NoZeroPoints(weight)),
            _ => (graph.AddConstant(name + "_quantized", weight.Centred()), ElementType.Int8, NoZeroPoints(weight)),
        };
        return Dequantized(name, codes, type, zeroPoints, weight);
    }

    private static int LowestCode(QuantizedWeight weight) => weight.Parameters.Format.Min;

    private static int[] NoZeroPoints(QuantizedWeight weight) => new int[weight.Scales.Length];

    private Value Stored(string name, QuantizedWeight weight) =>
        graph.AddConstant(name + "_quantized", TypedCodes.Pack(AffineQuantizer.Unpack(weight.Codes), weight.Codes.Shape, weight.Parameters.Numbers, weight.Form.StoredType));

    /// <summary>Codes from 0 on, in words.</summary>
    private Value Unpacked(NodeInserter nodes, string name, QuantizedWeight weight)
    {
        int lowest = weight.Parameters.Numbers is IntegerFormat integers ? integers.Min : 0;
        int[] codes = Array.ConvertAll(AffineQuantizer.Unpack(weight.Codes), code => code - lowest);
        Value words = graph.AddConstant(name + "_packed", PackedWords.Pack(codes, weight.Parameters.Numbers.BitWidth));
        return PackedWords.Unpack(nodes, words, weight.Parameters.Numbers.BitWidth, weight.Codes.Shape);
    }

    /// <summary>Codes minus zero point as int8; blocks with zero points keep uint8 codes.</summary>
    /// <param name="nodes">Where nodes go.</param>
    /// <param name="weight">The weight.</param>
    /// <param name="codes">Integers of any type.</param>
    /// <param name="lowest">The code that these hold as 0.</param>
    private (Value Codes, ElementType Type, int[] ZeroPoints) Centred(NodeInserter nodes, QuantizedWeight weight, Value codes, int lowest)
    {
        int[] offsets = [.. weight.Parameters.ZeroPoints.ToArray().Select(point => point - lowest)];
        if (Array.TrueForAll(offsets, offset => offset == 0)) return (Cast(nodes, codes, ElementType.Int8, "int8"), ElementType.Int8, offsets);
        bool isShared = Array.TrueForAll(offsets, offset => offset == offsets[0]);
        if (weight.Form.IsBlocked && !isShared) return (Cast(nodes, codes, ElementType.UInt8, "uint8"), ElementType.UInt8, offsets);
        Tensor subtracted = isShared ? Tensor.Scalar(offsets[0]) : Tensor.From<int>(offsets, AlongAxis(weight));
        Value centred = nodes.Add("", "Sub", "centred", [Cast(nodes, codes, ElementType.Int32, "int32"), graph.AddConstant(nodes.Name + "_offsets", subtracted)]);
        return (Cast(nodes, centred, ElementType.Int8, "int8"), ElementType.Int8, NoZeroPoints(weight));
    }

    /// <summary>What a table holds at each code.</summary>
    private Value Gathered(NodeInserter nodes, string name, QuantizedWeight weight, bool isInteger)
    {
        NumberFormat format = weight.Parameters.Numbers;
        Value codes = weight.Form.IsPacked ? Unpacked(nodes, name, weight) : graph.AddConstant(name + "_quantized", weight.Codes);
        Tensor table = isInteger ? Tensor.From<sbyte>(weight.Form.Grid!.Multiples)
            : Tensor.From<float>([.. Enumerable.Range(0, 1 << format.BitWidth).Select(code => format.Decode(code) is var number && float.IsFinite(number) ? number : 0)]);
        return nodes.Add("", "Gather", "look_up", [graph.AddConstant(name + "_table", table), Cast(nodes, codes, ElementType.Int32, "index")]);
    }

    private Value Converted(NodeInserter nodes, string name, QuantizedWeight weight)
    {
        if (weight.Form.HoldsFloat8) return Cast(nodes, Stored(name, weight), ElementType.Float32, "float");
        Value codes = weight.Form.IsPacked ? Unpacked(nodes, name, weight) : graph.AddConstant(name + "_quantized", weight.Codes);
        int lowest = weight.Form.IsPacked ? weight.Parameters.Format.Min : 0;
        float[] offsets = [.. weight.Parameters.ZeroPoints.ToArray().Select(point => (float)(point - lowest))];
        Value numbers = Cast(nodes, codes, ElementType.Float32, "float");
        if (Array.TrueForAll(offsets, offset => offset == 0)) return numbers;
        return nodes.Add("", "Sub", "centred", [numbers, Spread(nodes, name + "_offsets", offsets, weight, "offsets")]);
    }

    /// <summary>Numbers of channels or blocks in a shape that the weight can be computed with.</summary>
    private Value Spread(NodeInserter nodes, string name, float[] numbers, QuantizedWeight weight, string part)
    {
        Value value = graph.AddConstant(name, Tensor.From<float>(numbers, AlongAxis(weight)));
        if (!weight.Form.IsBlocked) return value;
        (int axis, int size) = (weight.Parameters.Granularity.Axis!.Value, weight.Parameters.Granularity.BlockSize);
        Value blocks = graph.AddConstant(name + "_blocks", Tensor.From<long>([.. Enumerable.Range(0, (int)weight.Codes.Shape[axis]).Select(i => (long)(i / size))]));
        return nodes.Add("", "Gather", part, [value, blocks], new() { { "axis", axis } });
    }

    private Value Scaled(NodeInserter nodes, string name, QuantizedWeight weight, Value numbers)
    {
        Value scales = Spread(nodes, name + "_scale", weight.Scales, weight, "scales");
        Value real = graph.AddValue(graph.UniqueName(name + "_dequantized"));
        graph.InsertNode(graph.Nodes.Count, "", "Mul", name + "_dequantize", [numbers, scales], [real], []);
        return real;
    }

    /// <summary>The shape in which scales are broadcast.</summary>
    private static Shape AlongAxis(QuantizedWeight weight)
    {
        Granularity granularity = weight.Parameters.Granularity;
        if (granularity.Axis is not { } axis || granularity.BlockSize > 0) return granularity.ScaleShape(weight.Codes.Shape);
        long[] dims = new long[weight.Codes.Rank];
        Array.Fill(dims, 1);
        dims[axis] = weight.Scales.Length;
        return new(dims);
    }

    private static Value Cast(NodeInserter nodes, Value value, ElementType type, string part) =>
        value.Type == type ? value : nodes.Add("", "Cast", part, [value], new() { { "to", (long)type } });

    private Value Dequantized(string name, Value codes, ElementType type, int[] zeroPoints, QuantizedWeight weight)
    {
        Granularity granularity = weight.Parameters.Granularity;
        Shape shape = granularity.ScaleShape(weight.Codes.Shape);
        Value scale = graph.AddConstant(name + "_scale", Tensor.From<float>(weight.Scales, shape));
        Value zeroPoint = graph.AddConstant(name + "_zero_point", TypedCodes.Pack(zeroPoints, shape, weight.Parameters.Numbers, type));
        Attributes attributes = granularity.Axis is { } axis ? new() { { "axis", axis } } : [];
        if (granularity.BlockSize > 0) attributes.Add("block_size", granularity.BlockSize);
        Value real = graph.AddValue(graph.UniqueName(name + "_dequantized"));
        graph.InsertNode(graph.Nodes.Count, "", "DequantizeLinear", name + "_dequantize", [codes, scale, zeroPoint], [real], attributes);
        (real.Type, real.Shape) = (ElementType.Float32, SymbolicShape.From(weight.Codes.Shape));
        return real;
    }
}
