using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Fewbit.Tensors;

namespace Fewbit.Formats;

/// <summary>Uniform affine quantization, the arithmetic of ONNX QuantizeLinear and DequantizeLinear; whole tensors in any number format.</summary>
public static class AffineQuantizer
{
    /// <summary>clamp(round_half_even(value / scale) + zeroPoint, Min, Max). NaN gives 0, or the code nearest to it.</summary>
    /// <param name="value">The real number.</param>
    /// <param name="scale">Width of one code, above 0.</param>
    /// <param name="zeroPoint">The code of 0.</param>
    /// <param name="format">The codes.</param>
    public static int Quantize(float value, float scale, int zeroPoint, IntegerFormat format)
    {
        // Clamp before the cast: an int sum would wrap for large value / scale.
        float code = MathF.Round(value / scale, MidpointRounding.ToEven) + zeroPoint;
        return float.IsNaN(code) ? Math.Clamp(0, format.Min, format.Max) : (int)Math.Clamp(code, format.Min, format.Max);
    }

    /// <summary>(code - zeroPoint) * scale.</summary>
    public static float Dequantize(int code, float scale, int zeroPoint) => (code - zeroPoint) * scale;

    /// <summary>The real number that a number's code stands for.</summary>
    public static float FakeQuantize(float value, float scale, int zeroPoint, IntegerFormat format) =>
        Dequantize(Quantize(value, scale, zeroPoint, format), scale, zeroPoint);

    /// <summary>Codes of many numbers with one scale; the same codes as <see cref="Quantize(float, float, int, IntegerFormat)"/> gives one by one.</summary>
    public static void Quantize(ReadOnlySpan<float> values, Span<int> codes, float scale, int zeroPoint, IntegerFormat format)
    {
        ref float source = ref MemoryMarshal.GetReference(values);
        ref int target = ref MemoryMarshal.GetReference(codes[..values.Length]);
        int i = 0;
        for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Codes(Vector.LoadUnsafe(ref source, (nuint)i), scale, zeroPoint, format).StoreUnsafe(ref target, (nuint)i);
        }
        for (; i < values.Length; i++) codes[i] = Quantize(values[i], scale, zeroPoint, format);
    }

    /// <summary>The numbers that the codes of many numbers stand for.</summary>
    public static void FakeQuantize(ReadOnlySpan<float> values, Span<float> result, float scale, int zeroPoint, IntegerFormat format)
    {
        ref float source = ref MemoryMarshal.GetReference(values);
        ref float target = ref MemoryMarshal.GetReference(result[..values.Length]);
        int i = 0;
        for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<int> codes = Codes(Vector.LoadUnsafe(ref source, (nuint)i), scale, zeroPoint, format);
            (Vector.ConvertToSingle(codes - new Vector<int>(zeroPoint)) * scale).StoreUnsafe(ref target, (nuint)i);
        }
        for (; i < values.Length; i++) result[i] = FakeQuantize(values[i], scale, zeroPoint, format);
    }

    /// <summary>The numbers that the codes of a float32 tensor stand for. NaN stays NaN, so that it is not hidden.</summary>
    /// <exception cref="ArgumentException">The parameters do not fit the tensor's shape.</exception>
    public static unsafe Tensor FakeQuantize(Tensor values, QuantizationParameters parameters)
    {
        if (parameters.Granularity.BlockSize > 0) return FakeQuantizeBlocks(values, parameters);
        int axis = parameters.Granularity.Axis ?? -1;
        if (axis >= values.Rank || (axis >= 0 && values.Shape[axis] != parameters.Scales.Length))
            throw new ArgumentException($"{parameters.Scales.Length} scales along axis {axis} do not fit shape {values.Shape}", nameof(parameters));
        Tensor result = Tensor.AllocateUninitialized(ElementType.Float32, values.Shape);
        parameters.Numbers.FakeQuantize((float*)values.Address, (float*)result.Address, values.Shape.CountOf(0, axis + 1), values.Shape.CountOf(axis + 1, values.Rank), parameters.Scales, parameters.ZeroPoints);
        GC.KeepAlive(values);
        return result;
    }

    private static Tensor FakeQuantizeBlocks(Tensor values, QuantizationParameters parameters)
    {
        Tensor result = Tensor.AllocateUninitialized(ElementType.Float32, values.Shape);
        foreach ((int block, int start, int length) in Runs(values.Shape, parameters))
            parameters.Numbers.FakeQuantize(values.Span<float>().Slice(start, length), result.Span<float>()[start..], parameters.Scales[block], parameters.ZeroPoints[block]);
        return result;
    }

    /// <summary>The codes of a float32 tensor, in the format's storage type and the tensor's shape.</summary>
    public static Tensor Quantize(Tensor values, QuantizationParameters parameters)
    {
        var codes = new int[values.ElementCount];
        foreach ((int channel, int start, int length) in Runs(values.Shape, parameters))
        {
            parameters.Numbers.Quantize(values.Span<float>().Slice(start, length), codes.AsSpan(start, length), parameters.Scales[channel], parameters.ZeroPoints[channel]);
        }
        return Pack(codes, values.Shape, parameters.Numbers.StorageType);
    }

    /// <summary>The real numbers of codes.</summary>
    public static Tensor Dequantize(Tensor codes, QuantizationParameters parameters)
    {
        Tensor values = Tensor.AllocateUninitialized(ElementType.Float32, codes.Shape);
        int[] integers = Unpack(codes);
        Span<float> result = values.Span<float>();
        foreach ((int channel, int start, int length) in Runs(codes.Shape, parameters))
        {
            parameters.Numbers.Dequantize(integers.AsSpan(start, length), result.Slice(start, length), parameters.Scales[channel], parameters.ZeroPoints[channel]);
        }
        return values;
    }

    /// <summary>Integers as a tensor of a type that holds them.</summary>
    internal static Tensor Pack(ReadOnlySpan<int> codes, Shape shape, ElementType type) => type switch
    {
        ElementType.UInt8 => Cast<byte>(codes, shape),
        ElementType.Int8 => Cast<sbyte>(codes, shape),
        ElementType.UInt16 => Cast<ushort>(codes, shape),
        ElementType.Int16 => Cast<short>(codes, shape),
        ElementType.Int32 => Tensor.From(codes, shape),
        _ => throw new ArgumentException($"codes cannot be stored as {type.Name()}", nameof(type)),
    };

    /// <summary>The elements of an integer tensor, or the bits of 8-bit floats.</summary>
    internal static int[] Unpack(Tensor codes) => codes.Type switch
    {
        ElementType.UInt8 => Array.ConvertAll(codes.Span<byte>().ToArray(), code => (int)code),
        ElementType.Int8 => Array.ConvertAll(codes.Span<sbyte>().ToArray(), code => (int)code),
        ElementType.UInt16 => Array.ConvertAll(codes.Span<ushort>().ToArray(), code => (int)code),
        ElementType.Int16 => Array.ConvertAll(codes.Span<short>().ToArray(), code => (int)code),
        ElementType.Int32 => codes.Span<int>().ToArray(),
        >= ElementType.Float8E4M3FN and <= ElementType.Float8E5M2FNUZ => Array.ConvertAll(codes.Bytes.ToArray(), code => (int)code),
        _ => throw new ArgumentException($"expected integer codes, but is given {codes}", nameof(codes)),
    };

    /// <summary>Stretches of memory that share a scale.</summary>
    internal static IEnumerable<(int Channel, int Start, int Length)> Runs(Shape shape, QuantizationParameters parameters)
    {
        if (parameters.Granularity.Axis is { } axis && (axis >= shape.Rank || parameters.Granularity.ScaleShape(shape).ElementCount != parameters.Scales.Length))
            throw new ArgumentException($"{parameters.Scales.Length} scales {parameters.Granularity} do not fit shape {shape}", nameof(parameters));
        return Runs(shape, parameters.Granularity);
    }

    /// <summary>Stretches of memory that share a scale, and its place among the scales.</summary>
    internal static IEnumerable<(int Channel, int Start, int Length)> Runs(Shape shape, Granularity granularity)
    {
        if (granularity.Axis is not { } axis) return [(0, 0, checked((int)shape.ElementCount))];
        int channels = (int)shape[axis], inner = checked((int)shape.CountOf(axis + 1, shape.Rank)), outer = checked((int)shape.CountOf(0, axis));
        return granularity.BlockSize > 0 ? Blocks(outer, channels, inner, granularity.BlockSize) : Channels(outer, channels, inner);
    }

    private static IEnumerable<(int Channel, int Start, int Length)> Channels(int outer, int channels, int inner)
    {
        for (int o = 0; o < outer; o++)
        {
            for (int channel = 0; channel < channels; channel++) yield return (channel, (o * channels + channel) * inner, inner);
        }
    }

    private static IEnumerable<(int Block, int Start, int Length)> Blocks(int outer, int channels, int inner, int size)
    {
        int blocks = (channels + size - 1) / size;
        for (int o = 0; o < outer; o++)
        {
            for (int channel = 0; channel < channels; channel += inner == 1 ? size : 1)
            {
                int first = (o * blocks + channel / size) * inner, start = (o * channels + channel) * inner;
                if (inner == 1) yield return (first, start, Math.Min(size, channels - channel));
                else for (int i = 0; i < inner; i++) yield return (first + i, start + i, 1);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<int> Codes(Vector<float> values, float scale, int zeroPoint, IntegerFormat format)
    {
        Vector<float> code = Vector.Round(values / new Vector<float>(scale)) + new Vector<float>(zeroPoint);
        // NaN compares unequal to itself and becomes 0, as in the scalar form.
        code = Vector.ConditionalSelect(Vector.Equals(code, code), code, Vector<float>.Zero);
        return Vector.ConvertToInt32(Vector.Min(Vector.Max(code, new Vector<float>(format.Min)), new Vector<float>(format.Max)));
    }

    private static Tensor Cast<T>(ReadOnlySpan<int> codes, Shape shape) where T : unmanaged, IBinaryInteger<T>
    {
        Tensor tensor = Tensor.AllocateUninitialized(ElementTypes.Of<T>(), shape);
        Span<T> span = tensor.Span<T>();
        for (int i = 0; i < codes.Length; i++) span[i] = T.CreateChecked(codes[i]);
        return tensor;
    }
}
