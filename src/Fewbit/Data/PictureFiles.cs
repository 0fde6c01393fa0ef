using System.Globalization;
using System.Text.RegularExpressions;
using Fewbit.Data.Images;

namespace Fewbit.Data;

/// <summary>Picture files on disk, labelled by sub-folder, file name or a CSV file.</summary>
internal sealed partial class PictureFiles : DataSet
{
    private static readonly string[] Parts = ["train", "training", "val", "valid", "validation", "test", "testing"];

    // A link that leads back up must not be followed forever.
    private static readonly EnumerationOptions Nested = new() { RecurseSubdirectories = true, MaxRecursionDepth = 8, IgnoreInaccessible = false, AttributesToSkip = FileAttributes.Hidden };
    private readonly string[] _files;
    private readonly ImageDecoderOptions _images;
    private readonly ClassLabels? _labels;

    private PictureFiles(string[] files, ClassLabels? labels, string source, DataSetOptions options)
    {
        (_files, _labels, _images) = (files, labels, options.Images);
        Description = $"{ClassLabels.Plural(files.Length, "picture", "pictures")} of {source}, {(labels is null ? "no labels" : labels.Description)}";
    }

    public override string Description { get; }
    public override int Count => _files.Length;
    public override IReadOnlyList<int>? Labels => _labels?.Labels;
    public override IReadOnlyList<string>? ClassNames => _labels?.Names;
    public override Sample Read(int index) => Sample.Of(ImageDecoder.Read(_files[index], _images));
    public override string NameOf(int index) => _files[index];

    internal static bool IsPicture(string path) =>
        Path.GetExtension(path).ToUpperInvariant() is ".PNG" or ".JPG" or ".JPEG" or ".JPE" or ".JFIF" && !Path.GetFileName(path).StartsWith("._", StringComparison.Ordinal);

    public static PictureFiles Single(string path, DataSetOptions options) => new([path], null, path, options);

    /// <summary>The pictures of a folder and its sub-folders; null where there are none.</summary>
    public static PictureFiles? Folder(string folder, DataSetOptions options)
    {
        string[] files = [.. Directory.EnumerateFiles(folder).Where(IsPicture).Order(StringComparer.Ordinal)];
        string[] nested = [.. Directory.EnumerateDirectories(folder).SelectMany(sub => Directory.EnumerateFiles(sub, "*", Nested)).Where(IsPicture)
            .Order(StringComparer.Ordinal)];
        if (files.Length == 0 && nested.Length == 0) return null;
        if (options.LabelPattern is not null) return ByPattern([.. files, .. nested], folder, options);
        if (files.Length == 0) return BySubFolder(nested, folder, options);
        if (nested.Length > 0)
        {
            throw new InvalidDataException($"{folder}: has {files.Length} pictures beside sub-folders with {nested.Length} more, expected pictures either in the folder or in one sub-folder a class; "
                + "move them, name a sub-folder, or give --label-pattern");
        }
        return ByLeadingNumber(files, folder, options);
    }

    public static PictureFiles FromCsv(string path, DataSetOptions options)
    {
        (string[] files, string[]? labels) = CsvLabels.Read(path);
        return new(files, labels is null ? null : ClassLabels.From(labels, options.Labels, path), path, options);
    }

    private static PictureFiles BySubFolder(string[] files, string folder, DataSetOptions options)
    {
        string[] names = [.. files.Select(file => Path.GetRelativePath(folder, file).Split(Path.DirectorySeparatorChar)[0])];
        string[] parts = [.. names.Distinct().Order(StringComparer.Ordinal)];
        if (parts.All(part => Parts.Contains(part, StringComparer.OrdinalIgnoreCase)))
            throw new InvalidDataException($"{folder}: its sub-folders ({string.Join(", ", parts)}) are parts of a data set, not classes; name one of them, like {Path.Combine(folder, parts[0])}");
        ClassLabels labels = ClassLabels.From(names, options.Labels, folder);
        return new(files, labels, $"{folder} labelled by sub-folder", options);
    }

    private static PictureFiles ByPattern(string[] files, string folder, DataSetOptions options)
    {
        Regex pattern = Compile(options.LabelPattern!);
        var texts = new string[files.Length];
        for (int i = 0; i < files.Length; i++)
        {
            // Sub-folders may carry the class too, so the pattern sees the path below the folder.
            string name = Path.GetRelativePath(folder, files[i]).Replace(Path.DirectorySeparatorChar, '/');
            Match match = Find(pattern, name);
            if (!match.Success || match.Groups[1].Length == 0) throw new InvalidDataException($"{files[i]}: does not match the label pattern {pattern}");
            texts[i] = match.Groups[1].Value;
        }
        return new(files, ClassLabels.From(texts, options.Labels, folder), $"{folder} labelled by the file name pattern {pattern}", options);
    }

    private static Match Find(Regex pattern, string name)
    {
        try
        {
            return pattern.Match(name);
        }
        catch (RegexMatchTimeoutException problem)
        {
            throw new ArgumentException($"label pattern {pattern} takes more than {pattern.MatchTimeout.TotalSeconds} s on '{name}'; write it without nested repetition", problem);
        }
    }

    private static Regex Compile(string pattern)
    {
        try
        {
            var regex = new Regex(pattern, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));
            return regex.GetGroupNumbers().Length > 1 ? regex : throw new ArgumentException($"label pattern {pattern} has no group; put the class in parentheses, like ^(\\d+)_");
        }
        catch (RegexParseException problem)
        {
            throw new ArgumentException($"label pattern {pattern} is not a regular expression: {problem.Message}", problem);
        }
    }

    /// <summary>Leading numbers are class ids where they repeat or a WordNet id follows; a running number is not a class.</summary>
    private static PictureFiles ByLeadingNumber(string[] files, string folder, DataSetOptions options)
    {
        Match[] matches = [.. files.Select(file => LeadingNumber().Match(Path.GetFileName(file)))];
        if (!matches.All(match => match.Success)) return new(files, null, folder, options);
        string[] numbers = [.. matches.Select(match => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture))];
        bool isClass = matches.All(match => match.Groups[2].Success) || numbers.Distinct().Count() <= files.Length / 2;
        if (!isClass) return new(files, null, $"{folder} (file names begin with numbers; --label-pattern \"^(\\d+)_\" reads them as classes)", options);
        ClassLabels labels = ClassLabels.From(numbers, null, folder) with { Names = options.Labels?.Names };
        return new(files, labels, $"{folder} labelled by the class number that file names begin with", options);
    }

    [GeneratedRegex(@"^(\d{1,6})[_-](n\d{8}(?!\d))?", RegexOptions.CultureInvariant)]
    private static partial Regex LeadingNumber();
}
