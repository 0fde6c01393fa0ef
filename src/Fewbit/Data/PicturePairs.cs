using Fewbit.Data.Images;

namespace Fewbit.Data;

/// <summary>Pictures of low resolution with the same pictures in high resolution, matched by file name.</summary>
public sealed class PicturePairs : DataSet
{
    private readonly string[] _files, _references;

    private PicturePairs(string[] files, string[] references, int scale, string description) =>
        (_files, _references, TargetScale, Description) = (files, references, scale, description);

    /// <inheritdoc/>
    public override string Description { get; }

    /// <inheritdoc/>
    public override int Count => _files.Length;

    /// <summary>At least 1; what a reference has over is cut on the right and below.</summary>
    public override int? TargetScale { get; }

    /// <summary>Opens two folders. Names are equal, or equal but for an ending such as x2, x4 or _LR.</summary>
    /// <param name="folder">Pictures of low resolution: what a model is given.</param>
    /// <param name="references">The same pictures in high resolution; further ones are left out.</param>
    /// <exception cref="InvalidDataException">A picture has no reference, or not the same enlargement as the others: the message names both.</exception>
    public static PicturePairs Open(string folder, string references)
    {
        string[] files = List(folder, "low"), candidates = List(references, "high");
        ILookup<string, string> byName = candidates.ToLookup(Stem, StringComparer.OrdinalIgnoreCase);
        string[] matched = [.. files.Select(file => Match(file, byName, references))];
        int scale = ScaleOf(files, matched);
        return new(files, matched, scale, $"{ClassLabels.Plural(files.Length, "picture", "pictures")} of {folder}, {scale} times larger in {references}");
    }

    /// <inheritdoc/>
    public override Sample Read(int index) => Sample.Of(ImageDecoder.Read(_files[index]));

    /// <inheritdoc/>
    public override Image ReadTarget(int index) => ImageDecoder.Read(_references[index]);

    /// <inheritdoc/>
    public override string NameOf(int index) => _files[index];

    private static string[] List(string folder, string resolution)
    {
        if (!Directory.Exists(folder)) throw new InvalidDataException($"{folder}: there is no such folder; expected one of pictures in {resolution} resolution");
        string[] files = [.. Directory.EnumerateFiles(folder).Where(PictureFiles.IsPicture).Order(StringComparer.Ordinal)];
        return files.Length > 0 ? files : throw new InvalidDataException($"{folder}: holds no PNG or JPEG pictures; expected those in {resolution} resolution");
    }

    private static string Match(string file, ILookup<string, string> byName, string references)
    {
        string[] found = [.. byName[Stem(file)]];
        return found.Length switch
        {
            1 => found[0],
            0 => throw new InvalidDataException($"{file}: {references} has no picture of that name{Closest.Suggestion(Stem(file), byName.Select(group => group.Key))}; name the pictures alike in both folders"),
            _ => throw new InvalidDataException($"{file}: {references} has {found.Length} pictures of that name ({string.Join(", ", found.Select(Path.GetFileName))}); leave one"),
        };
    }

    /// <summary>The name without extension and without what marks a resolution.</summary>
    private static string Stem(string file)
    {
        string name = Path.GetFileNameWithoutExtension(file);
        foreach (string mark in (string[])["_HR", "_LR", "-HR", "-LR"])
            if (name.EndsWith(mark, StringComparison.OrdinalIgnoreCase)) return name[..^mark.Length];
        int cross = name.LastIndexOf('x');
        return cross > 0 && cross < name.Length - 1 && name[(cross + 1)..].All(char.IsAsciiDigit) && name[cross - 1] is not (>= '0' and <= '9') ? name[..cross].TrimEnd('_', '-') : name;
    }

    private static int ScaleOf(string[] files, string[] references)
    {
        int scale = 0;
        foreach ((string file, string reference) in files.Zip(references))
        {
            Image small = ImageDecoder.Read(file), large = ImageDecoder.Read(reference);
            int of = large.Width / small.Width;
            if (of < 1 || of != large.Height / small.Height || large.Width % small.Width >= of || large.Height % small.Height >= of)
                throw new InvalidDataException($"{reference}: has {large.Width} x {large.Height} pixels, {file} has {small.Width} x {small.Height}; expected a whole multiple, and fewer pixels over than that");
            if (scale != 0 && of != scale) throw new InvalidDataException($"{reference}: is {of} times larger than {file}, {references[0]} is {scale} times larger; expected one enlargement for all");
            scale = of;
        }
        return scale;
    }
}
