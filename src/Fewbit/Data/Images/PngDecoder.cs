using System.Buffers.Binary;
using System.IO.Compression;

namespace Fewbit.Data.Images;

/// <summary>Decodes PNG (ISO/IEC 15948): every colour type, bit depth and interlace, to grey or RGB of 8 bits.</summary>
/// <remarks>Alpha and transparent colours are dropped, not blended, and 16 bits keep their high byte, as Pillow's <c>convert('RGB')</c> does
/// (except 16-bit grey, which Pillow clips at 255: here it keeps the high byte too). Gamma and colour profiles are not applied.</remarks>
internal static class PngDecoder
{
    private const int SignatureLength = 8;

    /// <summary>Deflate cannot expand by more; a header that claims more is refused before memory is taken.</summary>
    private const int MaxInflation = 1032;

    public static Image Decode(ReadOnlySpan<byte> data, string name, ImageDecoderOptions options)
    {
        PngHeader? header = null;
        byte[] palette = [];
        int orientation = 1;
        var compressed = new MemoryStream();
        for (int position = SignatureLength; ;)
        {
            ReadOnlySpan<byte> body = ReadChunk(data, ref position, name, out string type);
            if (header is null && type != "IHDR") throw new InvalidDataException($"{name}: is damaged: PNG starts with chunk {type}, expected IHDR");
            if (type == "IEND") break;
            switch (type)
            {
                case "IHDR" when header is null: header = PngHeader.Parse(body, name, options); break;
                case "PLTE": palette = ReadPalette(body, name); break;
                case "IDAT": compressed.Write(body); break;
                case "eXIf": orientation = ExifOrientation.Read(body); break;
                default:
                    if (char.IsAsciiLetterUpper(type[0])) throw new InvalidDataException($"{name}: has the unknown or repeated critical PNG chunk {type}");
                    break;
            }
        }
        compressed.Position = 0;
        Image image = DecodePixels(header!.Value, palette, compressed, name);
        return options.ApplyOrientation ? ExifOrientation.Apply(image, orientation) : image;
    }

    private static ReadOnlySpan<byte> ReadChunk(ReadOnlySpan<byte> data, ref int position, string name, out string type)
    {
        ReadOnlySpan<byte> rest = data[position..];
        if (rest.Length < 12) throw new InvalidDataException($"{name}: is truncated: the {data.Length} bytes end before the PNG chunk IEND");
        uint length = BinaryPrimitives.ReadUInt32BigEndian(rest);
        type = Printable(rest.Slice(4, 4));
        if (length > rest.Length - 12)
            throw new InvalidDataException($"{name}: is truncated or damaged: PNG chunk {type} at byte {position} claims {length} bytes, {rest.Length - 12} are left");
        ReadOnlySpan<byte> body = rest.Slice(8, (int)length);
        uint stored = BinaryPrimitives.ReadUInt32BigEndian(rest[(8 + (int)length)..]), computed = Crc32.Of(rest.Slice(4, 4 + (int)length));
        if (stored != computed) throw new InvalidDataException($"{name}: is damaged: PNG chunk {type} at byte {position} has checksum {stored:X8}, its bytes give {computed:X8}");
        position += 12 + (int)length;
        return body;
    }

    private static string Printable(ReadOnlySpan<byte> type)
    {
        Span<char> text = stackalloc char[4];
        for (int i = 0; i < 4; i++) text[i] = char.IsAsciiLetter((char)type[i]) ? (char)type[i] : '?';
        return new string(text);
    }

    private static byte[] ReadPalette(ReadOnlySpan<byte> body, string name) => body.Length is > 0 and <= 768 && body.Length % 3 == 0
        ? body.ToArray()
        : throw new InvalidDataException($"{name}: is damaged: PNG palette of {body.Length} bytes, expected a multiple of 3 up to 768");

    private static Image DecodePixels(PngHeader header, byte[] palette, MemoryStream compressed, string name)
    {
        if (header.ColourType == PngHeader.Palette && palette.Length == 0) throw new InvalidDataException($"{name}: is damaged: PNG has no palette");
        long needed = header.Passes().Sum(pass => (1 + header.RowBytes(pass.Width(header.Width))) * pass.Height(header.Height));
        if (needed > (compressed.Length + 1) * MaxInflation)
            throw new InvalidDataException($"{name}: is truncated: {header.Width} x {header.Height} PNG needs more than its {compressed.Length} compressed bytes can hold");
        var pixels = new byte[(long)header.Width * header.Height * header.Channels];
        try
        {
            using var inflated = new ZLibStream(compressed, CompressionMode.Decompress);
            foreach (PngPass pass in header.Passes()) DecodePass(header, pass, palette, inflated, pixels, name);
        }
        catch (EndOfStreamException)
        {
            throw new InvalidDataException($"{name}: is truncated: the compressed PNG data end before the picture is complete");
        }
        catch (Exception problem) when (problem is IOException || (problem is InvalidDataException && !problem.Message.StartsWith(name, StringComparison.Ordinal)))
        {
            throw new InvalidDataException($"{name}: is damaged: the compressed PNG data are invalid", problem);
        }
        return new Image(header.Width, header.Height, header.Channels, pixels);
    }

    private static void DecodePass(PngHeader header, PngPass pass, byte[] palette, Stream inflated, byte[] pixels, string name)
    {
        (int width, int height) = (pass.Width(header.Width), pass.Height(header.Height));
        int rowBytes = (int)header.RowBytes(width);
        byte[] above = new byte[1 + rowBytes], row = new byte[1 + rowBytes];
        for (int y = 0; y < height; y++)
        {
            inflated.ReadExactly(row);
            Unfilter(row[0], row.AsSpan(1), above.AsSpan(1), header.FilterDistance, name);
            int first = ((pass.Y + y * pass.StepY) * header.Width + pass.X) * header.Channels;
            Expand(header, row.AsSpan(1), width, palette, pixels.AsSpan(first), pass.StepX * header.Channels);
            (above, row) = (row, above);
        }
    }

    private static void Unfilter(int filter, Span<byte> row, ReadOnlySpan<byte> above, int distance, string name)
    {
        switch (filter)
        {
            case 0: break;
            case 1:
                for (int i = distance; i < row.Length; i++) row[i] += row[i - distance];
                break;
            case 2:
                for (int i = 0; i < row.Length; i++) row[i] += above[i];
                break;
            case 3:
                for (int i = 0; i < row.Length; i++) row[i] += (byte)(((i < distance ? 0 : row[i - distance]) + above[i]) >> 1);
                break;
            case 4:
                for (int i = 0; i < row.Length; i++)
                    row[i] += i < distance ? above[i] : Paeth(row[i - distance], above[i], above[i - distance]);
                break;
            default: throw new InvalidDataException($"{name}: is damaged: PNG row filter {filter}, expected 0 to 4");
        }
    }

    private static byte Paeth(int left, int above, int aboveLeft)
    {
        int estimate = left + above - aboveLeft;
        int toLeft = Math.Abs(estimate - left), toAbove = Math.Abs(estimate - above), toAboveLeft = Math.Abs(estimate - aboveLeft);
        return (byte)(toLeft <= toAbove && toLeft <= toAboveLeft ? left : toAbove <= toAboveLeft ? above : aboveLeft);
    }

    /// <summary>Writes a row's pixels, <paramref name="step"/> bytes apart.</summary>
    private static void Expand(PngHeader header, ReadOnlySpan<byte> row, int width, byte[] palette, Span<byte> target, int step)
    {
        if (header.BitDepth < 8)
        {
            ExpandPacked(header, row, width, palette, target, step);
            return;
        }
        if (header.BitDepth == 8 && header.ColourType is (PngHeader.Grey or PngHeader.Rgb) && step == header.Channels)
        {
            row.CopyTo(target);
            return;
        }
        int sampleBytes = header.BitDepth / 8, pixelBytes = header.Samples * sampleBytes;
        for (int x = 0; x < width; x++)
        {
            ReadOnlySpan<byte> pixel = row.Slice(x * pixelBytes, pixelBytes);
            Span<byte> place = target[(x * step)..];
            if (header.ColourType == PngHeader.Palette) Look(palette, pixel[0], place);
            else for (int c = 0; c < header.Channels; c++) place[c] = pixel[c * sampleBytes];
        }
    }

    private static void ExpandPacked(PngHeader header, ReadOnlySpan<byte> row, int width, byte[] palette, Span<byte> target, int step)
    {
        int depth = header.BitDepth, mask = (1 << depth) - 1;
        for (int x = 0; x < width; x++)
        {
            int bit = x * depth;
            int value = row[bit >> 3] >> (8 - depth - (bit & 7)) & mask;
            Span<byte> place = target[(x * step)..];
            if (header.ColourType == PngHeader.Palette) Look(palette, value, place);
            else place[0] = (byte)(value * 255 / mask);
        }
    }

    /// <summary>An index behind the palette's end is that grey, as in Pillow.</summary>
    private static void Look(byte[] palette, int index, Span<byte> place)
    {
        if (index * 3 < palette.Length) palette.AsSpan(index * 3, 3).CopyTo(place);
        else place[..3].Fill((byte)index);
    }
}
