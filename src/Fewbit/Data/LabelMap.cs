using System.Globalization;

namespace Fewbit.Data;

/// <summary>The classes of a model in its order, and the texts that mean them.</summary>
public sealed class LabelMap
{
    private readonly Dictionary<string, int> _byText = new(StringComparer.OrdinalIgnoreCase);

    private LabelMap(string[] names, string source) => (Names, Source) = (names, source);

    /// <summary>Name of each class by index; "" for an index that the file leaves out.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>The file, for messages.</summary>
    public string Source { get; }

    /// <summary>A map of names alone.</summary>
    public static LabelMap Of(IReadOnlyList<string> names, string source = "labels")
    {
        ArgumentNullException.ThrowIfNull(names);
        return Build([.. names.Select((name, index) => (index, new[] { name }))], source);
    }

    /// <summary>Reads one class name a line, or lines of index, then texts for the class, separated by tabs (as <c>0, n01440764, tench</c>).</summary>
    /// <exception cref="InvalidDataException">The file is empty or repeats an index.</exception>
    public static LabelMap Read(string path)
    {
        string[] lines = [.. File.ReadLines(path).Select(line => line.TrimEnd()).Reverse().SkipWhile(line => line.Length == 0).Reverse()];
        if (lines.Length == 0) throw new InvalidDataException($"{path}: is empty, expected one class name a line, or index, tab, name");
        bool indexed = lines.All(line => line.Contains('\t') && int.TryParse(line.AsSpan(0, line.IndexOf('\t')), NumberStyles.None, CultureInfo.InvariantCulture, out _));
        return Build([.. lines.Select((line, number) => indexed ? Indexed(line) : (number, [line.Trim()]))], path);
    }

    /// <summary>The index of a class by its name, WordNet id or other text; null where no class has it.</summary>
    public int? Find(string text) => _byText.TryGetValue(text, out int index) ? index : null;

    /// <summary>As <see cref="Find"/>, but the class must exist.</summary>
    /// <exception cref="InvalidDataException">No class has the text.</exception>
    internal int Require(string text, string where) => Find(text) ?? throw new InvalidDataException(
        $"{where}: class '{text}' is not among the {Names.Count} of {Source}{Closest.Suggestion(text, _byText.Keys)}");

    private static (int, string[]) Indexed(string line)
    {
        string[] fields = line.Split('\t');
        return (int.Parse(fields[0], NumberStyles.None, CultureInfo.InvariantCulture), [.. fields.Skip(1).Select(field => field.Trim())]);
    }

    private static LabelMap Build((int Index, string[] Texts)[] classes, string source)
    {
        int largest = classes.Max(item => item.Index);
        if (largest >= 1_000_000) throw new InvalidDataException($"{source}: has class index {largest}, expected at most 999999");
        int count = largest + 1;
        var names = new string[count];
        Array.Fill(names, "");
        var map = new LabelMap(names, source);
        foreach ((int index, string[] texts) in classes)
        {
            if (names[index].Length > 0) throw new InvalidDataException($"{source}: gives class index {index} twice ('{Printable.Of(names[index])}' and '{Printable.Of(texts[^1])}')");
            names[index] = texts[^1];
            foreach (string text in texts) map.Add(text, index);
        }
        return map;
    }

    /// <summary>A text that two classes share (ImageNet has two "crane") stays with the first; ids are what tells them apart.</summary>
    private void Add(string text, int index)
    {
        if (text.Length == 0) return;
        _byText.TryAdd(text, index);
        // Folders are often named with underscores, or with the first of several synonyms.
        _byText.TryAdd(text.Replace(' ', '_'), index);
        _byText.TryAdd(text.Split(',')[0].Trim(), index);
    }
}
