using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Runtime.Tests.Quantized;

/// <summary>Builds small graphs of QuantizeLinear and DequantizeLinear with random weights.</summary>
internal sealed class QdqBuilder
{
    private SeededRandom _random;

    public QdqBuilder(int seed, int opset = 13)
    {
        _random = new((ulong)seed);
        Graph = new("qdq", opset);
    }

    public Graph Graph { get; }

    /// <summary>Names of all quantizers' outputs, in the order in which they were added.</summary>
    public List<string> Quantizers { get; } = [];

    public ElementType Activations { get; init; } = ElementType.UInt8;

    public int Next(int low, int high) => low + _random.NextInt(high - low + 1);

    public float Uniform(float low, float high) => low + (high - low) * _random.NextSingle();

    public Value Input(params long[] shape) => Graph.AddInput(Graph.UniqueName("x"), ElementType.Float32, new([.. shape.Select(length => (Dim)length)]));

    public Dictionary<string, Tensor> Feeds() => Graph.Inputs.ToDictionary(input => input.Name, input => input.Type == ElementType.Bool
        ? Booleans(input.Shape!.ToShape()) : Normal(input.Shape!.ToShape(), 1));

    public Tensor Normal(Shape shape, float scale)
    {
        Tensor tensor = Tensor.Allocate(ElementType.Float32, shape);
        foreach (ref float value in tensor.Span<float>()) value = (float)_random.NextNormal() * scale;
        return tensor;
    }

    public Tensor Booleans(Shape shape)
    {
        Tensor tensor = Tensor.Allocate(ElementType.Bool, shape);
        foreach (ref byte value in tensor.Bytes) value = (byte)Next(0, 1);
        return tensor;
    }

    /// <summary>A quantizer and a dequantizer; returns the dequantized value.</summary>
    public Value Requantize(Value x, float? scale = null, int? zeroPoint = null, ElementType? type = null) => Dequantize(Quantize(x, scale, zeroPoint, type));

    public Value Quantize(Value x, float? scale = null, int? zeroPoint = null, ElementType? type = null)
    {
        ElementType codes = type ?? Activations;
        int middle = codes == ElementType.UInt8 ? 128 : 0;
        Value scaleValue = Graph.AddConstant("scale", Tensor.Scalar(scale ?? Uniform(0.01f, 0.05f)));
        Value zero = Graph.AddConstant("zero", Code(zeroPoint ?? middle + Next(-40, 40), codes));
        Value output = x.Apply("QuantizeLinear", scaleValue, zero);
        Quantizers.Add(output.Name);
        return output;
    }

    /// <summary>Dequantizes with the constants of the quantizer that made the codes.</summary>
    public static Value Dequantize(Value codes) => codes.Apply("DequantizeLinear", codes.Producer!.Inputs[1], codes.Producer.Inputs[2]);

    /// <summary>Requantizes with the constants of the quantizer in front of another value.</summary>
    public Value RequantizeLike(Value x, Value dequantized)
    {
        Value codes = x.Apply("QuantizeLinear", dequantized.Producer!.Inputs[1], dequantized.Producer.Inputs[2]);
        Quantizers.Add(codes.Name);
        return Dequantize(codes);
    }

    /// <summary>A weight of int8 codes with its dequantizer: one scale, or one for each position of an axis.</summary>
    public Value Weight(Shape shape, int? axis, ElementType type = ElementType.Int8, int zeroPoint = 0)
    {
        Tensor codes = Tensor.Allocate(type, shape);
        foreach (ref byte code in codes.Bytes) code = (byte)Next(-127, 127);
        int count = axis is { } at ? (int)shape[at] : 1;
        float[] scales = [.. Enumerable.Range(0, count).Select(_ => Uniform(0.0005f, 0.003f))];
        Value scale = Graph.AddConstant("w_scale", axis is null ? Tensor.Scalar(scales[0]) : Tensor.From<float>(scales));
        Tensor zeros = axis is null ? Code(zeroPoint, type) : Tensor.Allocate(type, [count]);
        return Graph.AddConstant("w", codes).Apply("DequantizeLinear", new Attributes { { "axis", (long)(axis ?? 1) } }, scale, Graph.AddConstant("w_zero", zeros));
    }

    /// <summary>An int32 bias with the scale of input times weight.</summary>
    public Value Bias(Value x, Value weight, long channels)
    {
        float input = x.Producer!.Inputs[1]!.Constant!.Item<float>();
        Tensor weightScale = weight.Producer!.Inputs[1]!.Constant!;
        float[] scales = [.. weightScale.Span<float>().ToArray().Select(scale => input * scale)];
        int[] codes = [.. Enumerable.Range(0, (int)channels).Select(_ => Next(-4000, 4000))];
        Value scaleValue = Graph.AddConstant("b_scale", weightScale.Rank == 0 ? Tensor.Scalar(scales[0]) : Tensor.From<float>(scales));
        return Graph.AddConstant("b", Tensor.From<int>(codes)).Apply("DequantizeLinear", new Attributes { { "axis", 0L } }, scaleValue);
    }

    public void Output(Value value) => Graph.AddOutput(value);

    private static Tensor Code(int code, ElementType type) => type switch
    {
        ElementType.UInt8 => Tensor.Scalar((byte)code),
        ElementType.Int8 => Tensor.Scalar((sbyte)code),
        ElementType.UInt16 => Tensor.Scalar((ushort)code),
        _ => Tensor.Scalar((short)code),
    };
}
