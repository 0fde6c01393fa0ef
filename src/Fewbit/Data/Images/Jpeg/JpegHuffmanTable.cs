namespace Fewbit.Data.Images.Jpeg;

/// <summary>A Huffman table of JPEG (ITU T.81 annex C): codes of up to 9 bits by look-up, longer ones by their range.</summary>
internal sealed class JpegHuffmanTable
{
    private const int LookBits = 9;
    private readonly ushort[] _look = new ushort[1 << LookBits];  // length << 8 | symbol; 0: longer than LookBits
    private readonly int[] _maxCode = new int[18];                // largest code of each length, -1 for none
    private readonly int[] _offset = new int[17];                 // index of a symbol = code + offset of its length
    private readonly byte[] _symbols;

    /// <param name="counts">Codes of each length 1 to 16.</param>
    /// <param name="symbols">Symbols in order of their codes.</param>
    /// <param name="name">The picture, for messages.</param>
    public JpegHuffmanTable(ReadOnlySpan<byte> counts, ReadOnlySpan<byte> symbols, string name)
    {
        _symbols = symbols.ToArray();
        int code = 0, index = 0;
        for (int length = 1; length <= 16; length++)
        {
            _offset[length] = index - code;
            int count = counts[length - 1];
            if (code + count > 1 << length) throw new InvalidDataException($"{name}: Huffman table has more {length}-bit codes than fit");
            if (length <= LookBits) FillLook(length, code, index, count);
            index += count;
            code += count;
            _maxCode[length] = count == 0 ? -1 : code - 1;
            code <<= 1;
        }
        _maxCode[17] = int.MaxValue;
    }

    /// <summary>Decodes one symbol; the reader holds at least 16 bits. -1 where no code matches.</summary>
    public int Decode(ref JpegBitReader reader)
    {
        int entry = _look[reader.Peek(LookBits)];
        if (entry != 0)
        {
            reader.Skip(entry >> 8);
            return entry & 0xFF;
        }
        return DecodeLong(ref reader);
    }

    private int DecodeLong(ref JpegBitReader reader)
    {
        for (int length = LookBits + 1; length <= 16; length++)
        {
            int code = reader.Peek(length);
            if (code > _maxCode[length]) continue;
            reader.Skip(length);
            return _symbols[code + _offset[length]];
        }
        return -1;
    }

    private void FillLook(int length, int code, int index, int count)
    {
        int span = 1 << (LookBits - length);
        for (int i = 0; i < count; i++)
            _look.AsSpan((code + i) * span, span).Fill((ushort)(length << 8 | _symbols[index + i]));
    }
}
