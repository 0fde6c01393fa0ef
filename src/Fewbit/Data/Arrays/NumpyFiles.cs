using System.IO.Compression;
using Fewbit.Tensors;

namespace Fewbit.Data.Arrays;

/// <summary>Reads .npy arrays and .npz archives of them. Pickled objects are never loaded.</summary>
internal static class NumpyFiles
{
    private const int MaxEntries = 4096;

    public static Tensor ReadNpy(string path, long maxBytes)
    {
        using FileStream file = File.OpenRead(path);
        return ReadArray(file, file.Length, path, maxBytes);
    }

    public static IReadOnlyDictionary<string, Tensor> ReadNpz(string path, long maxBytes)
    {
        var arrays = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        using ZipArchive archive = CheckedZip.Open(path, ".npz");
        if (archive.Entries.Count > MaxEntries) throw new InvalidDataException($"{path}: has {archive.Entries.Count} entries, expected at most {MaxEntries}");
        foreach (ZipArchiveEntry entry in archive.Entries)
        {
            string name = $"{path}[{Printable.Of(entry.FullName)}]";
            if (!entry.FullName.EndsWith(".npy", StringComparison.Ordinal)) throw new InvalidDataException($"{name}: is not a .npy array; save the file with numpy.savez");
            Tensor array = CheckedZip.Read(entry, name, stream => ReadArray(stream, entry.Length, name, maxBytes));
            maxBytes -= array.ByteCount;
            if (!arrays.TryAdd(entry.FullName[..^4], array)) throw new InvalidDataException($"{name}: is in the archive twice");
        }
        return arrays.Count > 0 ? arrays : throw new InvalidDataException($"{path}: holds no arrays");
    }

    private static Tensor ReadArray(Stream stream, long length, string name, long maxBytes)
    {
        try
        {
            NpyHeader header = NpyHeader.Read(stream, name);
            long bytes = header.Type.ByteCount(header.Shape.ElementCount);
            if (bytes != length - header.ByteCount)
                throw new InvalidDataException($"{name}: is truncated or damaged: {header.Type.Name()} {header.Shape} needs {bytes} bytes behind the header, found {length - header.ByteCount}");
            if (bytes > maxBytes) throw new InvalidDataException($"{name}: {header.Type.Name()} {header.Shape} has {bytes} bytes, more than the {maxBytes} that are allowed; split the file");
            Tensor stored = ArrayBytes.Read(stream, header.Type, header.Shape, header.IsBigEndian);
            return header.IsFortran ? ArrayBytes.FromFortran(stored) : stored;
        }
        catch (EndOfStreamException)
        {
            throw new InvalidDataException($"{name}: is truncated: the {length} bytes end inside the NumPy array");
        }
    }
}
