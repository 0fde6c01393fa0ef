using System.Globalization;
using Fewbit.Data;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Fewbit.Recipes;

/// <summary>Reads recipes: YAML of maps, lists and plain values, with a version and a section for each kind of work.</summary>
/// <remarks>Anchors, tags and several documents are refused: a recipe needs none of them, and they make small files large.</remarks>
internal static class RecipeFile
{
    /// <summary>The version of the schema; later versions add sections.</summary>
    public const int Version = 1;

    private const int MaxCharacters = 1 << 20, MaxDepth = 8;
    private static readonly string[] s_keys = ["version", "training", "quantization"];

    /// <summary>Reads a section of a recipe file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is no recipe; the message names file, line and key.</exception>
    public static RecipeMap Read(string path, string section) =>
        File.Exists(path) ? Parse(File.ReadAllText(path), path, section) : throw new FileNotFoundException($"{path}: there is no such recipe", path);

    /// <summary>Reads a section of a recipe's text.</summary>
    /// <param name="text">YAML.</param>
    /// <param name="source">Its file, for messages.</param>
    /// <param name="section">The section wanted.</param>
    public static RecipeMap Parse(string text, string source, string section)
    {
        if (text.Length > MaxCharacters) throw new InvalidDataException($"{source}: has {text.Length} characters, a recipe has at most {MaxCharacters}");
        var root = new RecipeMap(ReadDocument(text, source), "");
        if (root.Integer("version") is not { } version) throw root.Fail("states no version, expected 'version: 1' at its start");
        if (version != Version) throw root.Fail("version", $"is {version}, this Fewbit knows version {Version}");
        foreach (string key in root.Keys.Where(key => !s_keys.Contains(key))) throw root.Fail(key, $"is no section of a recipe{Closest.Suggestion(key, s_keys)}; expected {string.Join(", ", s_keys)}");
        return root.Map(section) ?? throw root.Fail($"has no section '{section}'");
    }

    private static RecipeTable ReadDocument(string text, string source)
    {
        try
        {
            var parser = new Parser(new StringReader(text));
            parser.Consume<StreamStart>();
            if (!parser.TryConsume<DocumentStart>(out _)) throw new InvalidDataException($"{source}: is empty, expected 'version: {Version}' and a section");
            RecipeNode node = ReadNode(parser, source, 0);
            parser.Consume<DocumentEnd>();
            if (!parser.TryConsume<StreamEnd>(out _)) throw new InvalidDataException($"{source}: has several documents, expected one");
            return node as RecipeTable ?? throw new InvalidDataException($"{node.Where}: is no map of keys, expected 'version: {Version}' and a section");
        }
        catch (YamlException problem)
        {
            throw new InvalidDataException($"{source} line {problem.Start.Line.ToString(CultureInfo.InvariantCulture)}: is no valid YAML: {Printable.Of(problem.Message, 200)}", problem);
        }
        catch (InvalidOperationException problem)
        {
            // The parser's own answer where a list or map in brackets meets the next key.
            throw new InvalidDataException($"{source}: is no valid YAML: a bracket or brace is not closed", problem);
        }
    }

    private static RecipeNode ReadNode(Parser parser, string source, int depth)
    {
        var start = parser.Consume<ParsingEvent>();
        string where = $"{source} line {start.Start.Line.ToString(CultureInfo.InvariantCulture)}";
        if (depth > MaxDepth) throw new InvalidDataException($"{where}: is nested deeper than {MaxDepth} levels");
        if (start is not NodeEvent { Anchor.IsEmpty: true, Tag.IsEmpty: true }) throw new InvalidDataException($"{where}: has an anchor, alias or tag, which recipes do not take");
        if (start is Scalar scalar) return new RecipeScalar(scalar.Value, where);
        if (start is SequenceStart)
        {
            var items = new List<RecipeNode>();
            while (!parser.TryConsume<SequenceEnd>(out _)) items.Add(ReadNode(parser, source, depth + 1));
            return new RecipeList(items, where);
        }
        var values = new Dictionary<string, RecipeNode>(StringComparer.Ordinal);
        while (!parser.TryConsume<MappingEnd>(out _))
        {
            RecipeNode key = ReadNode(parser, source, depth + 1);
            if (key is not RecipeScalar { Text: { Length: > 0 and < 100 } name }) throw new InvalidDataException($"{key.Where}: has a key that is no name");
            RecipeNode value = ReadNode(parser, source, depth + 1);
            if (!values.TryAdd(name, value)) throw new InvalidDataException($"{key.Where}: states '{Printable.Of(name)}' twice");
        }
        return new RecipeTable(values, where);
    }
}
