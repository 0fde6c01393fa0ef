namespace Fewbit.Tensors;

/// <summary>Elements of 4 and 2 bits: one byte each and back.</summary>
internal static class PackedElements
{
    /// <summary>The bits of each element in a byte of its own, upper bits 0.</summary>
    public static Tensor Unpack(Tensor packed)
    {
        Tensor bytes = Tensor.AllocateUninitialized(ElementType.UInt8, packed.Shape);
        Unpack(packed.Bytes, packed.Type.BitWidth(), bytes.Span<byte>());
        return bytes;
    }

    /// <summary>Packs bytes whose lower bits hold the elements.</summary>
    public static void Pack(Tensor bytes, Tensor packed) => Pack(bytes.Span<byte>(), packed.Type.BitWidth(), packed.Bytes);

    /// <summary>The bits of each element in a byte of its own, upper bits 0; the first element lies in the lowest bits.</summary>
    public static void Unpack(ReadOnlySpan<byte> packed, int bitWidth, Span<byte> bytes)
    {
        int mask = (1 << bitWidth) - 1, each = 8 / bitWidth;
        for (int i = 0; i < bytes.Length; i++) bytes[i] = (byte)((packed[i / each] >> (i % each * bitWidth)) & mask);
    }

    /// <summary>Packs bytes whose lower bits hold the elements; bits after the last element are 0.</summary>
    public static void Pack(ReadOnlySpan<byte> bytes, int bitWidth, Span<byte> packed)
    {
        int mask = (1 << bitWidth) - 1, each = 8 / bitWidth;
        packed.Clear();
        for (int i = 0; i < bytes.Length; i++) packed[i / each] |= (byte)((bytes[i] & mask) << (i % each * bitWidth));
    }
}
