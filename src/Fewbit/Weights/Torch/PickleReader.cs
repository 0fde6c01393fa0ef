using System.Buffers.Binary;
using System.Text;

namespace Fewbit.Weights.Torch;

/// <summary>Numbers and texts of a pickle. What claims to be longer than the rest of the file is refused before memory is taken.</summary>
internal sealed class PickleReader(Stream stream, string source)
{
    private readonly byte[] _number = new byte[8];

    public string Source => source;

    public InvalidDataException Damaged(string what) => new($"{source}: {what}");

    public byte Byte() => stream.ReadByte() is >= 0 and int value ? (byte)value : throw Damaged("is truncated: the pickle ends inside an instruction");

    public int UInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Number(2));

    public int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Number(4));

    public long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Number(8));

    public double DoubleBigEndian() => BinaryPrimitives.ReadDoubleBigEndian(Number(8));

    public byte[] Bytes(long count)
    {
        if (count < 0 || count > stream.Length - stream.Position) throw Damaged($"is truncated: a pickled text claims {count} bytes, {stream.Length - stream.Position} are left");
        var bytes = new byte[count];
        stream.ReadExactly(bytes);
        return bytes;
    }

    public string Utf8(long count) => Encoding.UTF8.GetString(Bytes(count));

    /// <summary>Text of Python 2, or bytes.</summary>
    public string Latin1(long count) => Encoding.Latin1.GetString(Bytes(count));

    public string Line()
    {
        var text = new StringBuilder();
        for (byte value = Byte(); value != (byte)'\n'; value = Byte())
        {
            if (text.Length == 1000) throw Damaged("has a pickled name of more than 1000 characters");
            text.Append((char)value);
        }
        return text.ToString();
    }

    private ReadOnlySpan<byte> Number(int count)
    {
        if (stream.ReadAtLeast(_number.AsSpan(0, count), count, throwOnEndOfStream: false) < count) throw Damaged("is truncated: the pickle ends inside a number");
        return _number.AsSpan(0, count);
    }
}
