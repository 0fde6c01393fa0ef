using System.Buffers.Binary;
using Fewbit.Data.Arrays;
using Fewbit.Tensors;

namespace Fewbit.Storage;

/// <summary>Reads and writes safetensors files: 8 bytes length, a JSON header, then the bytes of the tensors, little-endian.</summary>
public static class SafetensorsFile
{
    private const int ChunkBytes = 1 << 30;

    /// <summary>Reads a file into memory of its own.</summary>
    /// <exception cref="InvalidDataException">The file is damaged, or holds an unknown type; the message names file and tensor.</exception>
    public static Safetensors Read(string path)
    {
        using FileStream file = File.OpenRead(path);
        return Read(file, path);
    }

    /// <summary>Maps a file: its tensors are read-only and come from disk page by page when they are used. The file must stay as it is while they live.</summary>
    /// <exception cref="InvalidDataException">The file is damaged, or holds an unknown type; the message names file and tensor.</exception>
    public static unsafe Safetensors Map(string path)
    {
        SafetensorsHeader header;
        long start;
        using (FileStream file = File.OpenRead(path))
        {
            header = ReadHeader(file, path);
            start = file.Position;
        }
        var owner = new MappedOwner(path);
        if (owner.ByteCount != start + header.DataBytes) throw new InvalidDataException($"{path}: changed while it was opened");
        return new(header.Entries.ToDictionary(entry => entry.Name, entry => Aligned(new(entry.Type, entry.Shape, owner, start + entry.Start)), StringComparer.Ordinal), header.Metadata);
    }

    /// <summary>Writes tensors to a temporary file and renames it; the same tensors and texts give the same bytes.</summary>
    /// <param name="path">The file; replaced if it is there.</param>
    /// <param name="tensors">Row-major tensors by name.</param>
    /// <param name="metadata">Texts by name; null for none.</param>
    /// <exception cref="ArgumentException">A tensor is of a type that the format does not have (4- and 2-bit integers).</exception>
    public static void Write(string path, IReadOnlyDictionary<string, Tensor> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        SafetensorsHeader header = SafetensorsHeader.For(tensors, metadata);
        AtomicFile.Write(path, stream => Write(stream, header, tensors));
    }

    internal static Safetensors Read(Stream file, string path)
    {
        SafetensorsHeader header = ReadHeader(file, path);
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        try
        {
            foreach (SafetensorsEntry entry in header.Entries) tensors.Add(entry.Name, ArrayBytes.Read(file, entry.Type, entry.Shape, bigEndian: false));
        }
        catch (EndOfStreamException)
        {
            throw new InvalidDataException($"{path}: ended while it was read");
        }
        return new(tensors, header.Metadata);
    }

    /// <summary>True where the bytes are the start of a safetensors file: a length, and a brace behind it.</summary>
    internal static bool Matches(ReadOnlySpan<byte> start) =>
        start.Length >= 9 && start[8] == (byte)'{' && BinaryPrimitives.ReadUInt64LittleEndian(start) <= SafetensorsHeader.MaxBytes;

    internal static unsafe void Write(Stream stream, SafetensorsHeader header, IReadOnlyDictionary<string, Tensor> tensors)
    {
        stream.Write(header.ToBytes());
        foreach (SafetensorsEntry entry in header.Entries)
        {
            Tensor tensor = tensors[entry.Name];
            for (long done = 0; done < tensor.ByteCount; done += ChunkBytes) stream.Write(new ReadOnlySpan<byte>(tensor.Address + done, (int)Math.Min(ChunkBytes, tensor.ByteCount - done)));
            GC.KeepAlive(tensor);
        }
    }

    private static SafetensorsHeader ReadHeader(Stream file, string path)
    {
        Span<byte> length = stackalloc byte[sizeof(ulong)];
        if (file.ReadAtLeast(length, length.Length, throwOnEndOfStream: false) < length.Length)
            throw new InvalidDataException($"{path}: has {file.Length} bytes, too few for a safetensors file");
        ulong bytes = BinaryPrimitives.ReadUInt64LittleEndian(length);
        if (bytes > SafetensorsHeader.MaxBytes || bytes > (ulong)(file.Length - length.Length))
            throw new InvalidDataException($"{path}: is no safetensors file or is truncated: it claims a header of {bytes} bytes, the file has {file.Length}, readers accept {SafetensorsHeader.MaxBytes}");
        var header = new byte[bytes];
        file.ReadExactly(header);
        return SafetensorsHeader.Parse(header, file.Length - length.Length - header.Length, path);
    }

    /// <summary>Other writers may put a tensor anywhere; kernels read whole elements.</summary>
    private static unsafe Tensor Aligned(Tensor tensor) => (nuint)tensor.Address % (nuint)Math.Max(1, tensor.Type.BitWidth() / 8) == 0 ? tensor : tensor.Copy();
}
