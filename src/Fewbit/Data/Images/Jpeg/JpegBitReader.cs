namespace Fewbit.Data.Images.Jpeg;

/// <summary>Bits of one entropy-coded segment, first bit highest; undoes byte stuffing and stops at a marker.</summary>
internal ref struct JpegBitReader(ReadOnlySpan<byte> data, int position)
{
    private readonly ReadOnlySpan<byte> _data = data;
    private ulong _bits;      // the low _count bits are unread
    private int _count;
    private int _padding;     // zero bits appended after the end of the segment, part of _count or already read

    /// <summary>The next byte that was not loaded; at a marker once the segment is used up.</summary>
    public int Position { get; private set; } = position;

    /// <summary>True where more bits were read than the segment holds.</summary>
    public readonly bool IsOverrun => _count < _padding;

    /// <summary>Loads at least 32 bits: enough for one Huffman code and its value.</summary>
    public void Fill()
    {
        while (_count <= 56)
        {
            int value = NextByte();
            if (value < 0) { value = 0; _padding += 8; }
            _bits = _bits << 8 | (uint)value;
            _count += 8;
            // Past the end the zeros read add up; keep the counter from wrapping in a loop that checks late.
            if (_padding > 1 << 20) _padding = 1 << 20;
        }
    }

    public readonly int Peek(int count) => (int)(_bits >> (_count - count)) & ((1 << count) - 1);

    public void Skip(int count) => _count -= count;

    /// <summary>Reads up to 16 bits; <see cref="Fill"/> comes first.</summary>
    public int Read(int count)
    {
        int value = Peek(count);
        _count -= count;
        return value;
    }

    /// <summary>Reads a value of <paramref name="size"/> bits in JPEG's sign form: a leading 0 marks a negative number.</summary>
    public int ReadSigned(int size)
    {
        int value = Read(size);
        return value < 1 << (size - 1) ? value - (1 << size) + 1 : value;
    }

    /// <summary>Drops the rest of the segment and goes on behind a marker.</summary>
    public void Restart(int position)
    {
        (_bits, _count, _padding) = (0, 0, 0);
        Position = position;
    }

    private int NextByte()
    {
        if (Position >= _data.Length) return -1;
        int value = _data[Position];
        if (value != 0xFF)
        {
            Position++;
            return value;
        }
        int next = Position + 1;
        while (next < _data.Length && _data[next] == 0xFF) next++; // fill bytes
        if (next >= _data.Length || _data[next] != 0) return -1;
        Position = next + 1;
        return 0xFF;
    }
}
