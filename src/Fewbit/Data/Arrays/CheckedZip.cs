using System.IO.Compression;

namespace Fewbit.Data.Arrays;

/// <summary>Reads archives of other programs: what is damaged or claims too much gives one message that names it.</summary>
internal static class CheckedZip
{
    /// <summary>Opens an archive.</summary>
    /// <param name="path">The file.</param>
    /// <param name="kind">What it should be, for the message: zip, .npz.</param>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public static ZipArchive Open(string path, string kind)
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
            throw new InvalidDataException($"{path}: is not a readable {kind} archive (truncated?): {problem.Message}", problem);
        }
    }

    /// <summary>Reads an entry and compares its checksum, which the zip reader of .NET leaves to its caller.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="name">Its name in messages; those that <paramref name="read"/> gives begin with it too.</param>
    /// <param name="read">Reads the entry's bytes to their end.</param>
    /// <exception cref="InvalidDataException">The entry is damaged.</exception>
    public static T Read<T>(ZipArchiveEntry entry, string name, Func<Stream, T> read)
    {
        if (entry.Length > (entry.CompressedLength + 1) * ArrayBytes.MaxInflation)
            throw new InvalidDataException($"{name}: claims {entry.Length} bytes in {entry.CompressedLength} compressed ones, which is impossible");
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
}
