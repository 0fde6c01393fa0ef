using System.Buffers.Binary;
using System.IO.Compression;
using Fewbit.Data;
using Fewbit.Data.Images;

namespace Fewbit.Tests.Data.Images;

/// <summary>Writes PNG files of every kind for tests.</summary>
internal static class PngFile
{
    public static byte[] Encode(int width, int height, int colourType, int depth, bool interlaced, ushort[] samples, byte[]? palette = null)
    {
        var file = new MemoryStream();
        file.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10]);
        byte[] header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9], header[12]) = ((byte)depth, (byte)colourType, (byte)(interlaced ? 1 : 0));
        WriteChunk(file, "IHDR"u8, header);
        WriteChunk(file, "tEXt"u8, "k\0v"u8);
        if (palette is not null) WriteChunk(file, "PLTE"u8, palette);
        byte[] data = Compress(new PngHeader(width, height, depth, colourType, interlaced), samples);
        WriteChunk(file, "IDAT"u8, data.AsSpan(0, data.Length / 2));
        WriteChunk(file, "IDAT"u8, data.AsSpan(data.Length / 2));
        WriteChunk(file, "IEND"u8, []);
        return file.ToArray();
    }

    public static void WriteChunk(Stream file, ReadOnlySpan<byte> type, ReadOnlySpan<byte> body)
    {
        byte[] chunk = [0, 0, 0, 0, .. type, .. body, 0, 0, 0, 0];
        BinaryPrimitives.WriteInt32BigEndian(chunk, body.Length);
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(chunk.Length - 4), Crc32.Of(chunk.AsSpan(4, 4 + body.Length)));
        file.Write(chunk);
    }

    private static byte[] Compress(PngHeader header, ushort[] samples)
    {
        var compressed = new MemoryStream();
        using (var stream = new ZLibStream(compressed, CompressionLevel.Fastest))
        {
            foreach (PngPass pass in header.Passes())
            {
                byte[] above = new byte[header.RowBytes(pass.Width(header.Width))];
                for (int y = pass.Y; y < header.Height; y += pass.StepY)
                {
                    byte[] row = Pack(header, pass, y, samples, above.Length);
                    int filter = y / pass.StepY % 5;
                    stream.WriteByte((byte)filter);
                    stream.Write(Filter(row, above, filter, header.FilterDistance));
                    above = row;
                }
            }
        }
        return compressed.ToArray();
    }

    private static byte[] Pack(PngHeader header, PngPass pass, int y, ushort[] samples, int rowBytes)
    {
        byte[] row = new byte[rowBytes];
        int bit = 0;
        for (int x = pass.X; x < header.Width; x += pass.StepX)
        {
            for (int c = 0; c < header.Samples; c++, bit += header.BitDepth)
            {
                int value = samples[(y * header.Width + x) * header.Samples + c];
                if (header.BitDepth == 16) (row[bit / 8], row[bit / 8 + 1]) = ((byte)(value >> 8), (byte)value);
                else row[bit / 8] |= (byte)(value << (8 - header.BitDepth - bit % 8));
            }
        }
        return row;
    }

    private static byte[] Filter(byte[] row, byte[] above, int filter, int distance)
    {
        byte[] filtered = new byte[row.Length];
        for (int i = 0; i < row.Length; i++)
        {
            int left = i < distance ? 0 : row[i - distance], aboveLeft = i < distance ? 0 : above[i - distance];
            int estimate = left + above[i] - aboveLeft;
            int paeth = new[] { left, above[i], aboveLeft }.MinBy(candidate => Math.Abs(estimate - candidate));
            filtered[i] = (byte)(row[i] - filter switch { 0 => 0, 1 => left, 2 => above[i], 3 => (left + above[i]) / 2, _ => paeth });
        }
        return filtered;
    }
}
