using Fewbit.Data.Arrays;
using Fewbit.Tensors;

namespace Fewbit.Data;

/// <summary>Opens a data set of any known kind, recognized by its content.</summary>
public static class DataSetReader
{
    private const string Expected = "expected a folder of PNG or JPEG pictures, a CSV file of file and label, CIFAR-10 batches (.bin), an IDX file, .npy or .npz";
    private static readonly string[] LabelKeys = ["labels", "label", "y", "targets", "target", "y_test", "y_train"];

    /// <summary>Opens a file or folder.</summary>
    /// <param name="path">Folder of pictures (labelled by sub-folder, file name or CSV) or of CIFAR-10 batches; picture, CSV, CIFAR-10 batch, JPEG pack, IDX (plain or gzip), .npy or .npz file.</param>
    /// <param name="options">Labels and limits; null for the defaults.</param>
    /// <exception cref="FileNotFoundException">There is no such file or folder.</exception>
    /// <exception cref="InvalidDataException">The data are of no known kind, or damaged.</exception>
    public static DataSet Open(string path, DataSetOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new();
        if (Directory.Exists(path)) return OpenFolder(path, options);
        if (!File.Exists(path)) throw new FileNotFoundException($"{path}: there is no such file or folder; {Expected}", path);
        return OpenFile(path, options);
    }

    private static DataSet OpenFolder(string folder, DataSetOptions options)
    {
        string[] files = [.. Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal)];
        string[] tables = [.. files.Where(file => HasExtension(file, ".csv", ".tsv"))];
        if (options.LabelPattern is null && tables.Length == 1 && CsvNamesPictures(tables[0])) return PictureFiles.FromCsv(tables[0], options);
        if (PictureFiles.Folder(folder, options) is { } pictures) return pictures;
        string[] batches = [.. files.Where(file => HasExtension(file, ".bin") && new FileInfo(file).Length % CifarBatches.RecordBytes == 0)];
        if (batches.Length > 0) return OpenBatches(batches, folder, options);
        string[] arrays = [.. files.Where(IsArrayOfSamples)];
        if (arrays.Length == 1) return OpenFile(arrays[0], options);
        if (arrays.Length > 1) throw new InvalidDataException($"{folder}: holds {arrays.Length} data files ({string.Join(", ", arrays.Select(Path.GetFileName))}); name one of them");
        throw new InvalidDataException(files.Length == 0 && !Directory.EnumerateDirectories(folder).Any() ? $"{folder}: is empty; {Expected}" : $"{folder}: holds no data that are known; {Expected}");
    }

    /// <summary>All batches of a folder, but not the test batch where there are others: it is for judging alone.</summary>
    private static CifarBatches OpenBatches(string[] batches, string folder, DataSetOptions options)
    {
        string[] training = [.. batches.Where(file => !Path.GetFileName(file).StartsWith("test", StringComparison.OrdinalIgnoreCase))];
        bool leavesOut = training.Length > 0 && training.Length < batches.Length;
        string[] used = leavesOut ? training : batches;
        string source = $"{folder} ({string.Join(", ", used.Select(Path.GetFileName))}{(leavesOut ? "; test files left out, name them to use them" : "")})";
        return new(used, source, options.Labels);
    }

    private static bool IsArrayOfSamples(string file)
    {
        string name = Path.GetFileName(file);
        if (HasExtension(file, ".npy", ".npz")) return !LabelKeys.Contains(Path.GetFileNameWithoutExtension(file), StringComparer.OrdinalIgnoreCase);
        return name.Contains("idx", StringComparison.OrdinalIgnoreCase) && name.Contains("images", StringComparison.OrdinalIgnoreCase);
    }

    private static DataSet OpenFile(string path, DataSetOptions options)
    {
        byte[] start = new byte[8];
        using (FileStream file = File.OpenRead(path)) start = start[..file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
        if (start.Length == 0) throw new InvalidDataException($"{path}: is empty; {Expected}");
        if (HasExtension(path, ".csv", ".tsv")) return PictureFiles.FromCsv(path, options);
        if (start.AsSpan().StartsWith((ReadOnlySpan<byte>)[0x93, (byte)'N', (byte)'U', (byte)'M'])) return OpenNpy(path, options);
        if (start.AsSpan().StartsWith("PK"u8)) return OpenNpz(path, options);
        if (PictureFiles.IsPicture(path)) return PictureFiles.Single(path, options);
        if (IdxFile.IsGzip(path) || IdxFile.Matches(start) && !HasExtension(path, ".bin")) return OpenIdx(path, options);
        if (JpegPack.Matches(start)) return new JpegPack(path, options);
        if (HasExtension(path, ".bin")) return new CifarBatches([path], path, options.Labels);
        throw new InvalidDataException($"{path}: is of no known kind (it starts with {Convert.ToHexString(start)}); {Expected}");
    }

    private static ArrayDataSet OpenNpy(string path, DataSetOptions options)
    {
        Tensor array = NumpyFiles.ReadNpy(path, options.MaxArrayBytes);
        string? labels = options.LabelKey ?? LabelsBeside(path);
        if (options.LabelKey is not null && !File.Exists(labels)) throw new FileNotFoundException($"{labels}: there is no such file of labels for {path}", labels);
        return new(new Dictionary<string, Tensor> { [Path.GetFileNameWithoutExtension(path)] = array },
            labels is null ? null : LabelArray.Read(NumpyFiles.ReadNpy(labels, options.MaxArrayBytes), labels), path, options.Labels?.Names);
    }

    /// <summary>labels.npy or y.npy in the folder, or the file's name with "images" or a leading "x" replaced.</summary>
    private static string? LabelsBeside(string path)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!, name = Path.GetFileNameWithoutExtension(path);
        string[] names =
        [
            name.Replace("images", "labels", StringComparison.OrdinalIgnoreCase), name + "_labels",
            name.StartsWith('x') ? "y" + name[1..] : name.StartsWith('X') ? "y" + name[1..] : name, .. LabelKeys,
        ];
        return names.Where(candidate => candidate != name).Select(candidate => Path.Combine(folder, candidate + ".npy")).FirstOrDefault(File.Exists);
    }

    private static ArrayDataSet OpenNpz(string path, DataSetOptions options)
    {
        var arrays = new Dictionary<string, Tensor>(NumpyFiles.ReadNpz(path, options.MaxArrayBytes), StringComparer.Ordinal);
        string? key = options.LabelKey ?? LabelKeys.FirstOrDefault(arrays.ContainsKey);
        Tensor? labels = null;
        if (key is not null && !arrays.Remove(key, out labels))
            throw new InvalidDataException($"{path}: has no array '{key}' of labels, it has {string.Join(", ", arrays.Keys)}{Closest.Suggestion(key, arrays.Keys)}");
        return new(arrays, labels is null ? null : LabelArray.Read(labels, $"{path}[{key}]"), path, options.Labels?.Names);
    }

    private static ArrayDataSet OpenIdx(string path, DataSetOptions options)
    {
        Tensor array = IdxFile.Read(path, options.MaxArrayBytes);
        if (array.Rank < 2) throw new InvalidDataException($"{path}: is {array}, which looks like labels; name the file of images beside it");
        string? labels = IdxFile.LabelsBeside(path);
        return new(new Dictionary<string, Tensor> { ["images"] = array },
            labels is null ? null : LabelArray.Read(IdxFile.Read(labels, options.MaxArrayBytes), labels), path, options.Labels?.Names);
    }

    /// <summary>A table beside pictures is their labels only if its first lines name some of them.</summary>
    private static bool CsvNamesPictures(string path) => File.ReadLines(path).Take(3).Any(line => line.Split(',', ';', '\t').Any(cell =>
        PictureFiles.IsPicture(cell.Trim().Trim('"')) && File.Exists(Path.Combine(Path.GetDirectoryName(path)!, cell.Trim().Trim('"')))));

    private static bool HasExtension(string path, params ReadOnlySpan<string> extensions)
    {
        foreach (string extension in extensions)
            if (path.EndsWith(extension, StringComparison.OrdinalIgnoreCase)) return true;
        return false;
    }
}
