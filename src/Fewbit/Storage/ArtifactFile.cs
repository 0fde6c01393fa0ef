using System.Text;
using Fewbit.Tensors;

namespace Fewbit.Storage;

/// <summary>Reads and writes an <see cref="Artifact"/>: a JSON file, and beside it a safetensors file if there are tensors.</summary>
/// <remarks>
/// The JSON names the side file by the hash of its content: <c>run.json</c> and <c>run.json.0123456789abcdef.safetensors</c>. The side file is written first under its new name,
/// then the JSON is renamed into place, then the older side file is deleted; so whatever moment a kill comes at, the JSON in place and the file it names belong together.
/// (One safetensors file with the JSON among its texts would be as safe, but nobody could read or compare the decisions in it.)
/// </remarks>
public static class ArtifactFile
{
    internal const int HashDigits = 16;
    private const int Attempts = 3;

    /// <summary>Writes an artifact in place of an older one; the same content gives the same bytes.</summary>
    /// <exception cref="ArgumentException">A tensor is of a type that safetensors does not have (4- and 2-bit integers).</exception>
    public static void Write(string path, Artifact artifact)
    {
        ArgumentNullException.ThrowIfNull(artifact);
        SideFile? side = WriteTensors(path, artifact);
        byte[] json = Encoding.UTF8.GetBytes(ArtifactJson.Write(artifact, side));
        AtomicFile.Write(path, stream => stream.Write(json));
        DeleteOthers(path, side?.Name);
    }

    /// <summary>Reads an artifact, and checks its tensors against the hash in the JSON.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is damaged, of a newer version, or its side file is missing; the message names the file.</exception>
    public static Artifact Read(string path) => Read(path, needsTensors: true);

    /// <summary>The same; without its side file it has no tensors if they are not needed.</summary>
    internal static Artifact Read(string path, bool needsTensors)
    {
        string json = File.ReadAllText(path);
        for (int attempt = 1; ; attempt++)
        {
            (Artifact artifact, SideFile? side) = ArtifactJson.Read(json, path);
            if (side is null) return artifact;
            string sidePath = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, side.Name);
            if (File.Exists(sidePath))
            {
                ReadTensors(sidePath, side, artifact);
                return artifact;
            }
            // A writer may have replaced both files since the JSON was read.
            string again = File.ReadAllText(path);
            if (again == json && !needsTensors) return artifact;
            if (again == json || attempt == Attempts) throw new InvalidDataException($"{path}: needs {side.Name} beside it, which is not there; move both files together");
            json = again;
        }
    }

    /// <summary>Whether a file begins as an artifact does.</summary>
    internal static bool IsArtifact(string path)
    {
        using var reader = new StreamReader(path);
        Span<char> head = stackalloc char[64];
        return head[..reader.ReadBlock(head)].IndexOf(ArtifactJson.Format, StringComparison.Ordinal) > 0;
    }

    /// <summary>Deletes an artifact with its side file; nothing happens where there is none.</summary>
    internal static void Delete(string path)
    {
        File.Delete(path);
        if (Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(path)))) DeleteOthers(path, null);
    }

    /// <summary>Writes the side file; null where there are no tensors.</summary>
    internal static SideFile? WriteTensors(string path, Artifact artifact)
    {
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (ArtifactSection section in artifact.Sections)
            foreach ((string name, Tensor tensor) in section.Tensors) tensors.Add($"{section.Name}/{name}", tensor);
        if (tensors.Count == 0) return null;
        SafetensorsHeader header = SafetensorsHeader.For(tensors, metadata: null);
        string hash = "";
        string written = AtomicFile.Write(path + ".tensors", stream => SafetensorsFile.Write(stream, header, tensors), temporary => $"{path}.{(hash = ContentHash.OfFile(temporary))[..HashDigits]}.safetensors");
        return new(Path.GetFileName(written), hash);
    }

    private static void ReadTensors(string path, SideFile side, Artifact artifact)
    {
        using FileStream file = File.OpenRead(path);
        string hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(file));
        if (hash != side.Sha256) throw new InvalidDataException($"{path}: is damaged: its SHA-256 is {hash}, the artifact names {side.Sha256}");
        file.Position = 0;
        foreach ((string key, Tensor tensor) in SafetensorsFile.Read(file, path).Tensors)
        {
            int slash = key.IndexOf('/');
            ArtifactSection? section = slash < 0 ? null : artifact.Sections.FirstOrDefault(section => section.Name == key[..slash]);
            if (section is null) throw new InvalidDataException($"{path}: tensor '{Data.Printable.Of(key)}' belongs to no section of the artifact");
            section.Tensors.Add(key[(slash + 1)..], tensor);
        }
    }

    /// <summary>Deletes side files that the artifact in place no longer names, and what an interrupted writer left.</summary>
    private static void DeleteOthers(string path, string? current)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!, prefix = Path.GetFileName(path) + ".";
        foreach (string file in Directory.EnumerateFiles(folder))
        {
            string name = Path.GetFileName(file);
            if (name != current && name.StartsWith(prefix, StringComparison.Ordinal) && IsOurs(name[prefix.Length..])) File.Delete(file);
        }
    }

    private static bool IsOurs(string rest) => rest.EndsWith(".tmp", StringComparison.Ordinal)
        || rest.Length == HashDigits + ".safetensors".Length && rest.EndsWith(".safetensors", StringComparison.Ordinal) && rest[..HashDigits].All(char.IsAsciiHexDigitLower);
}

/// <summary>The file of tensors as the JSON states it.</summary>
/// <param name="Name">Its name, in the folder of the JSON.</param>
/// <param name="Sha256">Hash of its bytes.</param>
internal sealed record SideFile(string Name, string Sha256);
