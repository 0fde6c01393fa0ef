using System.IO.Compression;
using System.Text;
using Fewbit.Data;

namespace Fewbit.Fuzzing.Data;

/// <summary>Containers with checksums, written anew around changed content so that it is reached.</summary>
internal static class Zips
{
    public static byte[] Zip(IEnumerable<(string Name, byte[] Content)> files, CompressionLevel level)
    {
        var stream = new MemoryStream();
        using (var archive = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach ((string name, byte[] content) in files)
            {
                using Stream entry = archive.CreateEntry(name, level).Open();
                entry.Write(content);
            }
        }
        return stream.ToArray();
    }

    public static byte[] GZip(byte[] content)
    {
        var stream = new MemoryStream();
        using (var zip = new GZipStream(stream, CompressionLevel.Fastest)) zip.Write(content);
        return stream.ToArray();
    }

    public static byte[] ZLib(byte[] content)
    {
        var stream = new MemoryStream();
        using (var zip = new ZLibStream(stream, CompressionLevel.Fastest)) zip.Write(content);
        return stream.ToArray();
    }

    /// <summary>A PNG chunk with its length and checksum.</summary>
    public static byte[] Chunk(string type, byte[] body)
    {
        byte[] name = Encoding.ASCII.GetBytes(type);
        byte[] chunk = [.. BigEndian(body.Length), .. name, .. body, 0, 0, 0, 0];
        BigEndian(unchecked((int)Crc32.Of(chunk.AsSpan(4, 4 + body.Length)))).CopyTo(chunk, chunk.Length - 4);
        return chunk;
    }

    public static byte[] BigEndian(int number) => [(byte)(number >> 24), (byte)(number >> 16), (byte)(number >> 8), (byte)number];
}
