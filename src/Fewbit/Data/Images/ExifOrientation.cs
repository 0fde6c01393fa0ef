using System.Buffers.Binary;

namespace Fewbit.Data.Images;

/// <summary>The orientation tag of EXIF (1 to 8) and the turn that makes the picture upright.</summary>
internal static class ExifOrientation
{
    private const int OrientationTag = 0x0112;

    /// <summary>Reads the tag from a TIFF block ("II*" or "MM*" header, first directory); 1, upright, where it is missing or malformed.</summary>
    public static int Read(ReadOnlySpan<byte> tiff)
    {
        if (tiff.Length < 8) return 1;
        bool little = tiff[0] == 'I' && tiff[1] == 'I';
        if (!little && !(tiff[0] == 'M' && tiff[1] == 'M')) return 1;
        uint directory = UInt32(tiff[4..], little);
        if (directory > tiff.Length - 2) return 1;
        ReadOnlySpan<byte> entries = tiff[((int)directory + 2)..];
        int count = Math.Min(UInt16(tiff[(int)directory..], little), entries.Length / 12);
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> entry = entries.Slice(i * 12, 12);
            if (UInt16(entry, little) != OrientationTag) continue;
            // Type 4 is a 32-bit value; the standard says 16 bits (type 3), some writers use 32.
            long value = UInt16(entry[2..], little) == 4 ? UInt32(entry[8..], little) : UInt16(entry[8..], little);
            return value is >= 1 and <= 8 ? (int)value : 1;
        }
        return 1;
    }

    /// <summary>The upright picture: 2 mirror, 3 half turn, 4 flip, 5 transpose, 6 quarter turn clockwise, 7 transverse, 8 quarter turn counter-clockwise.</summary>
    public static Image Apply(Image image, int orientation)
    {
        if (orientation is < 2 or > 8) return image;
        bool transposed = orientation >= 5;
        // Where the row or the column of the source runs backwards as the result runs forwards.
        bool flipX = orientation is 2 or 3 or 7 or 8, flipY = orientation is 3 or 4 or 6 or 7;
        (int width, int height) = transposed ? (image.Height, image.Width) : (image.Width, image.Height);
        int channels = image.Channels;
        var pixels = new byte[image.Pixels.Length];
        for (int y = 0, target = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++, target += channels)
            {
                (int sourceX, int sourceY) = transposed ? (y, x) : (x, y);
                if (flipX) sourceX = image.Width - 1 - sourceX;
                if (flipY) sourceY = image.Height - 1 - sourceY;
                image.Pixels.AsSpan((sourceY * image.Width + sourceX) * channels, channels).CopyTo(pixels.AsSpan(target));
            }
        }
        return new Image(width, height, channels, pixels);
    }

    private static ushort UInt16(ReadOnlySpan<byte> bytes, bool little) =>
        little ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : BinaryPrimitives.ReadUInt16BigEndian(bytes);

    private static uint UInt32(ReadOnlySpan<byte> bytes, bool little) =>
        little ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : BinaryPrimitives.ReadUInt32BigEndian(bytes);
}
