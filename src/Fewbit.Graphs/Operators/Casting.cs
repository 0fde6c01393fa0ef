using System.Numerics;
using Fewbit.Tensors;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Fewbit.Graphs.Operators;

/// <summary>What a cast to a small float does beyond its range and between its values.</summary>
/// <param name="Saturate">True: to the largest value. False: to infinity or NaN.</param>
/// <param name="PowerRounding">How a number becomes a power of two (float8e8m0).</param>
internal readonly record struct CastOptions(bool Saturate, PowerRounding PowerRounding)
{
    public static CastOptions Default => new(true, PowerRounding.Up);
}

/// <summary>Conversion of whole tensors between any two element types of numbers.</summary>
/// <remarks>Types narrower than a byte, Bool and floats below 32 bits pass through float32 or int8, which hold each of their values.</remarks>
internal static class Casting
{
    public static Tensor Convert(Tensor source, ElementType type)
    {
        Tensor result = Tensor.AllocateUninitialized(type, source.Shape, source.Layout);
        Convert(source, result);
        return result;
    }

    public static void Convert(Tensor source, Tensor destination) => Convert(source, destination, CastOptions.Default);

    /// <exception cref="NotSupportedException">A type is text, complex or undefined.</exception>
    public static void Convert(Tensor source, Tensor destination, CastOptions options)
    {
        if (source.Type == destination.Type) source.CopyTo(destination);
        else if (!IsNative(source.Type)) FromSmall(source, destination, options);
        else if (!IsNative(destination.Type)) ToSmall(source, destination, options);
        else Native(source, destination);
    }

    /// <summary>True where <see cref="Convert(Tensor, ElementType)"/> knows the type.</summary>
    public static bool Supports(ElementType type) => IsNative(type) || type == ElementType.Bool || type.IsFloat() || type.IsInteger();

    private static bool IsNative(ElementType type) => type is ElementType.Float32 or ElementType.Float64
        or ElementType.Int8 or ElementType.UInt8 or ElementType.Int16 or ElementType.UInt16
        or ElementType.Int32 or ElementType.UInt32 or ElementType.Int64 or ElementType.UInt64;

    private static void FromSmall(Tensor source, Tensor destination, CastOptions options)
    {
        bool isInteger = source.Type == ElementType.Bool || source.Type.IsInteger();
        Tensor wide = destination.Type == ElementType.Float32 ? destination : Tensor.AllocateUninitialized(isInteger ? ElementType.Int8 : ElementType.Float32, source.Shape, source.Layout);
        if (isInteger && wide.Type == ElementType.Int8) UnpackIntegers(source, wide.Span<sbyte>());
        else if (isInteger) Widen(source, wide);
        else Decode(source, wide.Span<float>());
        if (wide != destination) Convert(wide, destination, options);
    }

    private static void Widen(Tensor source, Tensor destination)
    {
        Tensor bytes = Tensor.AllocateUninitialized(ElementType.Int8, source.Shape, source.Layout);
        UnpackIntegers(source, bytes.Span<sbyte>());
        Native(bytes, destination);
    }

    private static void UnpackIntegers(Tensor source, Span<sbyte> destination)
    {
        if (source.Type == ElementType.Bool)
        {
            Span<byte> bytes = source.Bytes;
            for (int i = 0; i < destination.Length; i++) destination[i] = bytes[i] != 0 ? (sbyte)1 : (sbyte)0;
            return;
        }
        int width = source.Type.BitWidth(), shift = 8 - width;
        PackedElements.Unpack(source.Bytes, width, System.Runtime.InteropServices.MemoryMarshal.AsBytes(destination));
        if (!source.Type.IsSignedInteger()) return;
        for (int i = 0; i < destination.Length; i++) destination[i] = (sbyte)((sbyte)(destination[i] << shift) >> shift);
    }

    private static void Decode(Tensor source, Span<float> destination)
    {
        switch (source.Type)
        {
            case ElementType.Float16:
                TensorPrimitives.ConvertToSingle(source.Span<Half>(), destination);
                break;
            case ElementType.BFloat16:
                Span<BFloat16> halves = source.Span<BFloat16>();
                for (int i = 0; i < destination.Length; i++) destination[i] = (float)halves[i];
                break;
            case var type when SmallFloats.Contains(type):
                float[] table = SmallFloats.Table(type);
                Span<byte> codes = type.IsPacked() ? PackedElements.Unpack(source).Span<byte>() : source.Bytes;
                for (int i = 0; i < destination.Length; i++) destination[i] = table[codes[i]];
                break;
            default:
                throw new NotSupportedException($"{source.Type.Name()} elements cannot be read as numbers");
        }
    }

    private static void ToSmall(Tensor source, Tensor destination, CastOptions options)
    {
        if (destination.Type == ElementType.Bool)
        {
            ToBool(source, destination.Bytes);
        }
        else if (destination.Type.IsInteger())
        {
            Pack(source, destination);
        }
        else if (destination.Type == ElementType.Float16 && source.Type == ElementType.Float64)
        {
            Span<double> numbers = source.Span<double>();
            Span<Half> halves = destination.Span<Half>();
            for (int i = 0; i < halves.Length; i++) halves[i] = (Half)numbers[i];
        }
        else
        {
            Encode((source.Type == ElementType.Float32 ? source : Convert(source, ElementType.Float32)).Span<float>(), destination, options);
        }
    }

    private static void ToBool(Tensor source, Span<byte> destination)
    {
        // A number is true unless it is 0; NaN is true.
        ReadOnlySpan<byte> bytes = source.Bytes;
        int width = destination.Length == 0 ? 0 : bytes.Length / destination.Length;
        for (int i = 0; i < destination.Length; i++)
        {
            ReadOnlySpan<byte> element = bytes.Slice(i * width, width);
            bool isZero = source.Type.IsFloat() ? element[..^1].IndexOfAnyExcept((byte)0) < 0 && (element[^1] & 0x7F) == 0 : element.IndexOfAnyExcept((byte)0) < 0;
            destination[i] = isZero ? (byte)0 : (byte)1;
        }
    }

    /// <summary>Real numbers are rounded half to even; of what lies beyond the range, as of integers, the lower bits are kept.</summary>
    private static void Pack(Tensor source, Tensor destination)
    {
        Tensor bytes = Tensor.AllocateUninitialized(ElementType.UInt8, source.Shape);
        if (source.Type.IsFloat())
        {
            Span<double> numbers = (source.Type == ElementType.Float64 ? source : Convert(source, ElementType.Float64)).Span<double>();
            Span<byte> codes = bytes.Span<byte>();
            for (int i = 0; i < codes.Length; i++) codes[i] = unchecked((byte)(long)Math.Round(numbers[i], MidpointRounding.ToEven));
        }
        else
        {
            Native(source, bytes);
        }
        PackedElements.Pack(bytes, destination);
    }

    private static void Encode(ReadOnlySpan<float> source, Tensor destination, CastOptions options)
    {
        switch (destination.Type)
        {
            case ElementType.Float16:
                TensorPrimitives.ConvertToHalf(source, destination.Span<Half>());
                break;
            case ElementType.BFloat16:
                Span<BFloat16> halves = destination.Span<BFloat16>();
                for (int i = 0; i < halves.Length; i++) halves[i] = (BFloat16)source[i];
                break;
            case ElementType.Float8E8M0:
                Span<byte> powers = destination.Bytes;
                for (int i = 0; i < powers.Length; i++) powers[i] = SmallFloats.EncodePower(source[i], options.Saturate, options.PowerRounding);
                break;
            case var type when SmallFloats.Contains(type):
                byte[]? unpacked = type.IsPacked() ? new byte[source.Length] : null;
                Span<byte> codes = unpacked ?? destination.Bytes;
                for (int i = 0; i < codes.Length; i++) codes[i] = SmallFloats.Encode(type, source[i], options.Saturate);
                if (unpacked is not null) PackedElements.Pack(unpacked, type.BitWidth(), destination.Bytes);
                break;
            default:
                throw new NotSupportedException($"numbers cannot be stored as {destination.Type.Name()} elements");
        }
    }

    private static void Native(Tensor source, Tensor destination)
    {
        switch (source.Type)
        {
            case ElementType.Float32: From<float>(source, destination); break;
            case ElementType.Float64: From<double>(source, destination); break;
            case ElementType.Int8: From<sbyte>(source, destination); break;
            case ElementType.UInt8: From<byte>(source, destination); break;
            case ElementType.Int16: From<short>(source, destination); break;
            case ElementType.UInt16: From<ushort>(source, destination); break;
            case ElementType.Int32: From<int>(source, destination); break;
            case ElementType.UInt32: From<uint>(source, destination); break;
            case ElementType.Int64: From<long>(source, destination); break;
            default: From<ulong>(source, destination); break;
        }
    }

    private static void From<TIn>(Tensor source, Tensor destination) where TIn : unmanaged, INumber<TIn>
    {
        Span<TIn> x = source.Span<TIn>();
        switch (destination.Type)
        {
            case ElementType.Float32: TensorPrimitives.ConvertTruncating<TIn, float>(x, destination.Span<float>()); break;
            case ElementType.Float64: TensorPrimitives.ConvertTruncating<TIn, double>(x, destination.Span<double>()); break;
            case ElementType.Int8: TensorPrimitives.ConvertTruncating<TIn, sbyte>(x, destination.Span<sbyte>()); break;
            case ElementType.UInt8: TensorPrimitives.ConvertTruncating<TIn, byte>(x, destination.Span<byte>()); break;
            case ElementType.Int16: TensorPrimitives.ConvertTruncating<TIn, short>(x, destination.Span<short>()); break;
            case ElementType.UInt16: TensorPrimitives.ConvertTruncating<TIn, ushort>(x, destination.Span<ushort>()); break;
            case ElementType.Int32: TensorPrimitives.ConvertTruncating<TIn, int>(x, destination.Span<int>()); break;
            case ElementType.UInt32: TensorPrimitives.ConvertTruncating<TIn, uint>(x, destination.Span<uint>()); break;
            case ElementType.Int64: TensorPrimitives.ConvertTruncating<TIn, long>(x, destination.Span<long>()); break;
            default: TensorPrimitives.ConvertTruncating<TIn, ulong>(x, destination.Span<ulong>()); break;
        }
    }
}
