namespace Fewbit.Formats;

/// <summary>Codes of 1 to 16 bits side by side, the first in the lowest bits.</summary>
internal static class PackedCodes
{
    /// <summary>Bytes that codes take.</summary>
    public static int ByteCount(int count, int bitWidth) => checked((int)(((long)count * bitWidth + 7) / 8));

    /// <summary>The lower bits of each code; bits after the last one are 0.</summary>
    public static byte[] Pack(ReadOnlySpan<int> codes, int bitWidth)
    {
        var packed = new byte[ByteCount(codes.Length, bitWidth)];
        (ulong waiting, int bits, int place) = (0, 0, 0);
        ulong mask = (1ul << bitWidth) - 1;
        foreach (int code in codes)
        {
            waiting |= ((uint)code & mask) << bits;
            for (bits += bitWidth; bits >= 8; bits -= 8, waiting >>= 8) packed[place++] = (byte)waiting;
        }
        if (bits > 0) packed[place] = (byte)waiting;
        return packed;
    }

    /// <param name="packed">Whole bytes.</param>
    /// <param name="bitWidth">Bits of a code.</param>
    /// <param name="isSigned">True: two's complement.</param>
    /// <param name="codes">As many as are read.</param>
    /// <exception cref="ArgumentException">There are too few bytes.</exception>
    public static void Unpack(ReadOnlySpan<byte> packed, int bitWidth, bool isSigned, Span<int> codes)
    {
        int needed = ByteCount(codes.Length, bitWidth);
        if (packed.Length < needed) throw new ArgumentException($"{codes.Length} codes of {bitWidth} bits are given as {packed.Length} bytes, expected {needed}", nameof(packed));
        (ulong waiting, int bits, int place, int shift) = (0, 0, 0, 32 - bitWidth);
        for (int i = 0; i < codes.Length; i++)
        {
            for (; bits < bitWidth; bits += 8) waiting |= (ulong)packed[place++] << bits;
            int code = (int)((uint)waiting << shift);
            codes[i] = isSigned ? code >> shift : (int)((uint)code >> shift);
            waiting >>= bitWidth;
            bits -= bitWidth;
        }
    }
}
