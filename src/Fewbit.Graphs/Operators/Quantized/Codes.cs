using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>Integer codes of any width as 32-bit integers: for weights, zero points and tests; hot loops read the bytes themselves.</summary>
internal static class Codes
{
    public static int[] Read(Tensor tensor)
    {
        var codes = new int[tensor.ElementCount];
        switch (tensor.Type)
        {
            case ElementType.UInt8: Widen(tensor.Span<byte>(), codes); break;
            case ElementType.Int8: Widen(tensor.Span<sbyte>(), codes); break;
            case ElementType.UInt16: Widen(tensor.Span<ushort>(), codes); break;
            case ElementType.Int16: Widen(tensor.Span<short>(), codes); break;
            case ElementType.Int32: tensor.Span<int>().CopyTo(codes); break;
            case ElementType.UInt4 or ElementType.Int4 or ElementType.UInt2 or ElementType.Int2: Unpack(tensor, codes); break;
            default: throw new NotSupportedException($"{tensor} holds no integer codes");
        }
        return codes;
    }

    /// <summary>Writes codes that fit the tensor's type.</summary>
    public static void Write(ReadOnlySpan<int> codes, Tensor tensor)
    {
        switch (tensor.Type)
        {
            case ElementType.UInt8: Narrow(codes, tensor.Span<byte>()); break;
            case ElementType.Int8: Narrow(codes, tensor.Span<sbyte>()); break;
            case ElementType.UInt16: Narrow(codes, tensor.Span<ushort>()); break;
            case ElementType.Int16: Narrow(codes, tensor.Span<short>()); break;
            case ElementType.Int32: codes.CopyTo(tensor.Span<int>()); break;
            case ElementType.UInt4 or ElementType.Int4 or ElementType.UInt2 or ElementType.Int2: Pack(codes, tensor); break;
            default: throw new NotSupportedException($"{tensor} holds no integer codes");
        }
    }

    private static void Widen<T>(ReadOnlySpan<T> source, Span<int> codes) where T : unmanaged, System.Numerics.IBinaryInteger<T>
    {
        for (int i = 0; i < codes.Length; i++) codes[i] = int.CreateTruncating(source[i]);
    }

    private static void Narrow<T>(ReadOnlySpan<int> codes, Span<T> target) where T : unmanaged, System.Numerics.IBinaryInteger<T>
    {
        for (int i = 0; i < codes.Length; i++) target[i] = T.CreateTruncating(codes[i]);
    }

    private static void Unpack(Tensor tensor, Span<int> codes)
    {
        int bits = tensor.Type.BitWidth(), perByte = 8 / bits, shift = 32 - bits;
        bool isSigned = tensor.Type.IsSignedInteger();
        Span<byte> bytes = tensor.Bytes;
        for (int i = 0; i < codes.Length; i++)
        {
            int high = bytes[i / perByte] >> (i % perByte * bits) << shift;
            codes[i] = isSigned ? high >> shift : (int)((uint)high >> shift);
        }
    }

    private static void Pack(ReadOnlySpan<int> codes, Tensor tensor)
    {
        int bits = tensor.Type.BitWidth(), perByte = 8 / bits, mask = (1 << bits) - 1;
        Span<byte> bytes = tensor.Bytes;
        bytes.Clear();
        for (int i = 0; i < codes.Length; i++) bytes[i / perByte] |= (byte)((codes[i] & mask) << (i % perByte * bits));
    }
}
