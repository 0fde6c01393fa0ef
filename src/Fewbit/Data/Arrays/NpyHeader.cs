using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Fewbit.Tensors;

namespace Fewbit.Data.Arrays;

/// <summary>The header of a NumPy .npy file, versions 1 to 3.</summary>
/// <param name="Type">Element type.</param>
/// <param name="IsBigEndian">True where elements of several bytes are stored high byte first.</param>
/// <param name="IsFortran">True where the first dimension runs fastest.</param>
/// <param name="Shape">Lengths of the dimensions.</param>
/// <param name="ByteCount">Bytes of the header with magic and version.</param>
internal sealed partial record NpyHeader(ElementType Type, bool IsBigEndian, bool IsFortran, Shape Shape, int ByteCount)
{
    private const int MaxHeaderBytes = 1 << 16, MaxRank = 32;

    private static ReadOnlySpan<byte> Magic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    public static NpyHeader Read(Stream stream, string name)
    {
        Span<byte> start = stackalloc byte[12];
        stream.ReadExactly(start[..8]);
        if (!start.StartsWith(Magic)) throw new InvalidDataException($"{name}: is not a NumPy array (it starts with {Convert.ToHexString(start[..6])})");
        if (start[6] is < 1 or > 3) throw new InvalidDataException($"{name}: is of .npy version {start[6]}, expected 1 to 3");
        int lengthBytes = start[6] == 1 ? 2 : 4;
        stream.ReadExactly(start.Slice(8, lengthBytes));
        long length = 0;
        for (int i = lengthBytes - 1; i >= 0; i--) length = length << 8 | start[8 + i];
        if (length > MaxHeaderBytes) throw new InvalidDataException($"{name}: has a NumPy header of {length} bytes, more than {MaxHeaderBytes}");
        var text = new byte[length];
        stream.ReadExactly(text);
        return Parse(Encoding.UTF8.GetString(text), 8 + lengthBytes + (int)length, name);
    }

    private static NpyHeader Parse(string header, int byteCount, string name)
    {
        Match type = TypeField().Match(header), order = OrderField().Match(header), shape = ShapeField().Match(header);
        if (!order.Success || !shape.Success || !type.Success)
        {
            throw new InvalidDataException($"{name}: has the NumPy header {Printable.Of(header.Trim())}, expected descr, fortran_order and shape of a plain array; "
                + "save it with numpy.save and a number type");
        }
        string descr = type.Groups[1].Value;
        ElementType element = TypeOf(descr.TrimStart('<', '>', '=', '|'))
            ?? throw new InvalidDataException($"{name}: holds NumPy type '{descr}', expected a boolean, integer or real type; convert it, for example with astype('float32')");
        string[] dims = shape.Groups[1].Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (dims.Length > MaxRank) throw new InvalidDataException($"{name}: has {dims.Length} dimensions, expected at most {MaxRank}");
        try
        {
            Shape lengths = new([.. dims.Select(dim => long.Parse(dim.TrimEnd('L'), NumberStyles.None, CultureInfo.InvariantCulture))]);
            _ = element.ByteCount(lengths.ElementCount);
            return new(element, descr[0] == '>', order.Groups[1].Value == "True", lengths, byteCount);
        }
        catch (Exception problem) when (problem is OverflowException or FormatException)
        {
            throw new InvalidDataException($"{name}: has the shape ({Printable.Of(shape.Groups[1].Value)}), whose elements no memory can hold, or which is no list of lengths", problem);
        }
    }

    private static ElementType? TypeOf(string code) => code switch
    {
        "f4" => ElementType.Float32,
        "f8" => ElementType.Float64,
        "f2" => ElementType.Float16,
        "u1" => ElementType.UInt8,
        "i1" => ElementType.Int8,
        "u2" => ElementType.UInt16,
        "i2" => ElementType.Int16,
        "u4" => ElementType.UInt32,
        "i4" => ElementType.Int32,
        "u8" => ElementType.UInt64,
        "i8" => ElementType.Int64,
        "b1" or "?" => ElementType.Bool,
        _ => null,
    };

    [GeneratedRegex(@"['""]descr['""]\s*:\s*['""]([<>=|]?[A-Za-z?]\d*)['""]", RegexOptions.CultureInvariant)]
    private static partial Regex TypeField();

    [GeneratedRegex(@"['""]fortran_order['""]\s*:\s*(True|False)", RegexOptions.CultureInvariant)]
    private static partial Regex OrderField();

    [GeneratedRegex(@"['""]shape['""]\s*:\s*\(([\d\sL,]*)\)", RegexOptions.CultureInvariant)]
    private static partial Regex ShapeField();
}
