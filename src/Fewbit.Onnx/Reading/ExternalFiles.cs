using System.Globalization;
using Fewbit.Onnx.Protos;
using Fewbit.Tensors;

namespace Fewbit.Onnx.Reading;

/// <summary>Tensors that lie in files beside the model. A model file is untrusted: it must not read outside of its folder.</summary>
/// <param name="folder">The model's folder; null where a model has no file.</param>
/// <param name="mapThreshold">Bytes from which a tensor is mapped instead of read.</param>
internal sealed class ExternalFiles(string? folder, long mapThreshold)
{
    private readonly Dictionary<string, MappedOwner> _maps = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _paths = new(StringComparer.Ordinal);

    public Tensor Read(IEnumerable<StringStringEntryProto> entries, ElementType type, Shape shape, string what)
    {
        var keys = entries.GroupBy(entry => entry.Key, StringComparer.Ordinal).ToDictionary(group => group.Key, group => group.Last().Value, StringComparer.Ordinal);
        string location = keys.GetValueOrDefault("location", "");
        long byteCount = type.ByteCount(shape.ElementCount);
        long offset = Number(keys, "offset", 0, what), length = Number(keys, "length", byteCount, what);
        string path = _paths.TryGetValue(location, out string? known) ? known : _paths[location] = Resolve(location, what);
        if (length != byteCount) throw new InvalidDataException($"{what} states {length} bytes of external data, expected {byteCount} for {type.Name()} {shape}");
        long available = new FileInfo(path).Length;
        if (offset > available || byteCount > available - offset)
            throw new InvalidDataException($"{what} lies at bytes {offset} to {(decimal)offset + byteCount} of external data '{location}', which has {available} bytes");
        // An element must not straddle its natural boundary.
        bool isAligned = offset % Math.Max(1, type.BitWidth() / 8) == 0;
        if (byteCount < Math.Max(1, mapThreshold) || !isAligned) return Copy(path, type, shape, offset, byteCount);
        if (!_maps.TryGetValue(path, out MappedOwner? map)) _maps.Add(path, map = new(path));
        return new(type, shape, map, offset);
    }

    private static unsafe Tensor Copy(string path, ElementType type, Shape shape, long offset, long byteCount)
    {
        Tensor tensor = Tensor.AllocateUninitialized(type, shape);
        using var file = File.OpenHandle(path);
        for (long done = 0; done < byteCount;)
        {
            int count = RandomAccess.Read(file, new Span<byte>(tensor.Address + done, (int)Math.Min(1 << 30, byteCount - done)), offset + done);
            if (count == 0) throw new EndOfStreamException($"{path}: ended at byte {offset + done} while it was read");
            done += count;
        }
        GC.KeepAlive(tensor);
        return tensor;
    }

    private static long Number(Dictionary<string, string> keys, string key, long fallback, string what)
    {
        if (!keys.TryGetValue(key, out string? text)) return fallback;
        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number
            : throw new InvalidDataException($"{what} has '{text}' as {key} of its external data, expected a number of 0 or more");
    }

    private string Resolve(string location, string what)
    {
        if (folder is null) throw new InvalidDataException($"{what} lies in external data '{location}', but the model was not read from a file: load it by its path");
        if (location.Length == 0) throw new InvalidDataException($"{what} lies in external data, but its location is not stated");
        if (location.Contains('\0', StringComparison.Ordinal)) throw new InvalidDataException($"{what} lies in external data '{location}', which is no path");
        string path = Path.GetFullPath(Path.Combine(folder, location));
        if (Path.IsPathRooted(location) || !IsInside(path, Path.GetFullPath(folder)))
            throw new InvalidDataException($"{what} lies in external data '{location}', expected a path inside the model's folder");
        if (!File.Exists(path)) throw new InvalidDataException($"{what} lies in external data '{location}', but there is no file {path}");
        string target = WithoutLinks(path);
        if (!IsInside(target, WithoutLinks(Path.GetFullPath(folder))))
            throw new InvalidDataException($"{what} lies in external data '{location}', a link out of the model's folder: copy the file into it");
        return target;
    }

    private static bool IsInside(string path, string folder) =>
        path.StartsWith(Path.EndsInDirectorySeparator(folder) ? folder : folder + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    /// <summary>The path with every symbolic link in it followed.</summary>
    private static string WithoutLinks(string path)
    {
        if (Path.GetDirectoryName(path) is not { } parent) return path;
        string resolved = Path.Combine(WithoutLinks(parent), Path.GetFileName(path));
        FileSystemInfo? target = Directory.Exists(resolved) ? Directory.ResolveLinkTarget(resolved, returnFinalTarget: true) : File.ResolveLinkTarget(resolved, returnFinalTarget: true);
        return target is null ? resolved : WithoutLinks(target.FullName);
    }
}
