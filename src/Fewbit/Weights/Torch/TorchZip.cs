using System.IO.Compression;
using Fewbit.Data;
using Fewbit.Data.Arrays;
using Fewbit.Tensors;

namespace Fewbit.Weights.Torch;

/// <summary>PyTorch's files since 1.6: a zip archive with a pickle, NAME/data.pkl, and the bytes of each storage, NAME/data/KEY.</summary>
internal static class TorchZip
{
    private const string Pickle = "data.pkl";
    private const int MaxPickleBytes = 256 << 20;

    /// <summary>True where the archive has a pickle of PyTorch.</summary>
    /// <exception cref="InvalidDataException">The archive cannot be read.</exception>
    public static bool Holds(string path)
    {
        using ZipArchive archive = Open(path);
        return archive.Entries.Any(IsPickle);
    }

    public static IReadOnlyDictionary<string, Tensor> Read(string path, long maxBytes)
    {
        using ZipArchive archive = Open(path);
        ZipArchiveEntry[] pickles = [.. archive.Entries.Where(IsPickle)];
        if (pickles.Length != 1) throw new InvalidDataException($"{path}: has {pickles.Length} entries {Pickle}, expected one");
        string folder = pickles[0].FullName[..^Pickle.Length];
        RefuseBigEndian(archive, folder, path);
        if (pickles[0].Length > MaxPickleBytes) throw new InvalidDataException($"{path}: has a pickle of {pickles[0].Length} bytes, more than {MaxPickleBytes}");
        var world = new TorchWorld(path);
        object? root;
        using (var pickle = new MemoryStream(ReadEntry(pickles[0], path, stream => ReadBytes(stream, pickles[0].Length)))) root = new PickleMachine(new(pickle, path), world).Run();
        foreach (TorchStorage storage in world.Storages.Values)
        {
            string name = $"{path}: storage '{Printable.Of(storage.Key)}'";
            ZipArchiveEntry entry = archive.GetEntry($"{folder}data/{storage.Key}") ?? throw new InvalidDataException($"{name} is not in the file; is it truncated?");
            long size = storage.Type.BitWidth() / 8;
            if (storage.Count > entry.Length / size || storage.Count * size != entry.Length)
                throw new InvalidDataException($"{name} is {storage.Count} x {storage.Type.Name()}, the file has {entry.Length} bytes of it; is it truncated?");
            maxBytes -= entry.Length;
            if (maxBytes < 0) throw new InvalidDataException($"{name}: the file's tensors need more bytes than the limit WeightFileOptions.MaxBytes");
            storage.Elements = ReadEntry(entry, name, stream => ArrayBytes.Read(stream, storage.Type, [storage.Count], bigEndian: false));
        }
        return StateDict.From(root, path, maxBytes);
    }

    private static bool IsPickle(ZipArchiveEntry entry) => entry.Name == Pickle && (entry.FullName.Length == Pickle.Length || entry.FullName.IndexOf('/') == entry.FullName.Length - Pickle.Length - 1);

    private static ZipArchive Open(string path)
    {
        try
        {
            ZipArchive archive = ZipFile.OpenRead(path);
            // The list of entries is read only when it is asked for.
            _ = archive.Entries;
            return archive;
        }
        catch (InvalidDataException problem)
        {
            throw new InvalidDataException($"{path}: is not a readable zip archive (truncated?): {problem.Message}", problem);
        }
    }

    private static void RefuseBigEndian(ZipArchive archive, string folder, string path)
    {
        if (archive.GetEntry(folder + "byteorder") is not { Length: < 16 } entry) return;
        string order = System.Text.Encoding.Latin1.GetString(ReadEntry(entry, path, stream => ReadBytes(stream, entry.Length)));
        if (order != "little") throw new InvalidDataException($"{path}: has the byte order '{Printable.Of(order)}', expected 'little'; save it on a little-endian machine");
    }

    /// <summary>Reads an entry and compares its checksum, which the zip reader of .NET leaves to its caller.</summary>
    private static T ReadEntry<T>(ZipArchiveEntry entry, string name, Func<Stream, T> read)
    {
        if (entry.Length > (entry.CompressedLength + 1) * ArrayBytes.MaxInflation) throw new InvalidDataException($"{name}: claims {entry.Length} bytes in {entry.CompressedLength} compressed ones, which is impossible");
        try
        {
            using Stream opened = entry.Open();
            using var stream = new ChecksumStream(opened);
            T value = read(stream);
            return stream.Checksum == entry.Crc32 ? value : throw new InvalidDataException($"{name}: is damaged: the archive's checksum is {entry.Crc32:X8}, its bytes give {stream.Checksum:X8}");
        }
        catch (Exception problem) when (problem is IOException || (problem is InvalidDataException && !problem.Message.StartsWith(name, StringComparison.Ordinal)))
        {
            throw new InvalidDataException($"{name}: is damaged: {problem.Message}", problem);
        }
    }

    private static byte[] ReadBytes(Stream stream, long count)
    {
        var bytes = new byte[count];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
