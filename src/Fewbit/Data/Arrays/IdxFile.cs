using System.Buffers.Binary;
using System.IO.Compression;
using Fewbit.Tensors;

namespace Fewbit.Data.Arrays;

/// <summary>Reads the IDX format of MNIST, plain or gzip-compressed: 0, 0, type, rank, big-endian lengths and elements.</summary>
internal static class IdxFile
{
    /// <summary>True where the bytes are an IDX header.</summary>
    public static bool Matches(ReadOnlySpan<byte> start) => start.Length >= 4 && start[0] == 0 && start[1] == 0 && TypeOf(start[2]) is not null && start[3] is >= 1 and <= 8;

    public static Tensor Read(string path, long maxBytes)
    {
        using FileStream file = File.OpenRead(path);
        bool compressed = IsGzip(path);
        using Stream stream = compressed ? new GZipStream(file, CompressionMode.Decompress) : file;
        try
        {
            return Read(stream, compressed, file.Length, path, maxBytes);
        }
        catch (EndOfStreamException)
        {
            throw new InvalidDataException($"{path}: is truncated: the file of {file.Length} bytes ends inside the IDX array");
        }
        catch (Exception problem) when (problem is IOException || (problem is InvalidDataException && !problem.Message.StartsWith(path, StringComparison.Ordinal)))
        {
            throw new InvalidDataException($"{path}: is damaged: the gzip data are invalid", problem);
        }
    }

    /// <summary>The labels that lie beside a file of images by the usual names; null where there are none.</summary>
    public static string? LabelsBeside(string path)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!, name = Path.GetFileName(path);
        string bare = name.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? name[..^3] : name;
        string labels = bare.Replace("images", "labels", StringComparison.OrdinalIgnoreCase);
        if (labels == bare) return null;
        string[] candidates = [.. Enumerable.Range(2, 5).Select(rank => labels.Replace($"idx{rank}", "idx1", StringComparison.OrdinalIgnoreCase)).Append(labels).Distinct()];
        return candidates.SelectMany(candidate => new[] { candidate, candidate + ".gz" }).Where(candidate => candidate != name)
            .Select(candidate => Path.Combine(folder, candidate)).FirstOrDefault(File.Exists);
    }

    internal static bool IsGzip(string path)
    {
        using FileStream file = File.OpenRead(path);
        return file.ReadByte() == 0x1F && file.ReadByte() == 0x8B;
    }

    private static Tensor Read(Stream stream, bool compressed, long fileBytes, string path, long maxBytes)
    {
        Span<byte> start = stackalloc byte[4];
        stream.ReadExactly(start);
        if (!Matches(start)) throw new InvalidDataException($"{path}: is not an IDX file (it starts with {Convert.ToHexString(start)}, expected 0000, type, rank)");
        ElementType type = TypeOf(start[2])!.Value;
        var dims = new long[start[3]];
        Span<byte> length = stackalloc byte[4];
        for (int i = 0; i < dims.Length; i++)
        {
            stream.ReadExactly(length);
            dims[i] = BinaryPrimitives.ReadUInt32BigEndian(length);
        }
        (Shape shape, long bytes) = Measure(type, dims, path);
        long available = compressed ? fileBytes * ArrayBytes.MaxInflation : fileBytes - 4 - 4 * dims.Length;
        if (bytes > available || !compressed && bytes != available)
            throw new InvalidDataException($"{path}: is truncated or damaged: {type.Name()} {shape} needs {bytes} bytes, the file of {fileBytes} bytes does not hold as many");
        if (bytes > maxBytes) throw new InvalidDataException($"{path}: {type.Name()} {shape} has {bytes} bytes, more than the {maxBytes} that are allowed");
        Tensor tensor = ArrayBytes.Read(stream, type, shape, bigEndian: true);
        if (stream.ReadByte() >= 0) throw new InvalidDataException($"{path}: is damaged: holds more than the {type.Name()} {shape} of its header");
        return tensor;
    }

    private static (Shape, long) Measure(ElementType type, long[] dims, string path)
    {
        try
        {
            Shape shape = new(dims);
            return (shape, type.ByteCount(shape.ElementCount));
        }
        catch (OverflowException)
        {
            throw new InvalidDataException($"{path}: has the shape [{string.Join(", ", dims)}], whose elements no memory can hold");
        }
    }

    private static ElementType? TypeOf(byte code) => code switch
    {
        0x08 => ElementType.UInt8,
        0x09 => ElementType.Int8,
        0x0B => ElementType.Int16,
        0x0C => ElementType.Int32,
        0x0D => ElementType.Float32,
        0x0E => ElementType.Float64,
        _ => null,
    };
}
