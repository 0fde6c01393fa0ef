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
        using ZipArchive archive = CheckedZip.Open(path, "zip");
        return archive.Entries.Any(IsPickle);
    }

    public static IReadOnlyDictionary<string, Tensor> Read(string path, long maxBytes)
    {
        using ZipArchive archive = CheckedZip.Open(path, "zip");
        ZipArchiveEntry[] pickles = [.. archive.Entries.Where(IsPickle)];
        if (pickles.Length != 1) throw new InvalidDataException($"{path}: has {pickles.Length} entries {Pickle}, expected one");
        string folder = pickles[0].FullName[..^Pickle.Length];
        RefuseBigEndian(archive, folder, path);
        if (pickles[0].Length > MaxPickleBytes) throw new InvalidDataException($"{path}: has a pickle of {pickles[0].Length} bytes, more than {MaxPickleBytes}");
        var world = new TorchWorld(path);
        object? root;
        using (var pickle = new MemoryStream(CheckedZip.Read(pickles[0], path, stream => ReadBytes(stream, pickles[0].Length)))) root = new PickleMachine(new(pickle, path), world).Run();
        foreach (TorchStorage storage in world.Storages.Values)
        {
            string name = $"{path}: storage '{Printable.Of(storage.Key)}'";
            ZipArchiveEntry entry = archive.GetEntry($"{folder}data/{storage.Key}") ?? throw new InvalidDataException($"{name} is not in the file; is it truncated?");
            long size = storage.Type.BitWidth() / 8;
            if (storage.Count > entry.Length / size || storage.Count * size != entry.Length)
                throw new InvalidDataException($"{name} is {storage.Count} x {storage.Type.Name()}, the file has {entry.Length} bytes of it; is it truncated?");
            maxBytes -= entry.Length;
            if (maxBytes < 0) throw new InvalidDataException($"{name}: the file's tensors need more bytes than the limit WeightFileOptions.MaxBytes");
            storage.Elements = CheckedZip.Read(entry, name, stream => ArrayBytes.Read(stream, storage.Type, [storage.Count], bigEndian: false));
        }
        return StateDict.From(root, path, maxBytes);
    }

    private static bool IsPickle(ZipArchiveEntry entry) => entry.Name == Pickle && (entry.FullName.Length == Pickle.Length || entry.FullName.IndexOf('/') == entry.FullName.Length - Pickle.Length - 1);

    private static void RefuseBigEndian(ZipArchive archive, string folder, string path)
    {
        if (archive.GetEntry(folder + "byteorder") is not { Length: < 16 } entry) return;
        string order = System.Text.Encoding.Latin1.GetString(CheckedZip.Read(entry, path, stream => ReadBytes(stream, entry.Length)));
        if (order != "little") throw new InvalidDataException($"{path}: has the byte order '{Printable.Of(order)}', expected 'little'; save it on a little-endian machine");
    }

    private static byte[] ReadBytes(Stream stream, long count)
    {
        var bytes = new byte[count];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
