using System.Globalization;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Fewbit.Recipes;

/// <summary>Collects the keys of a part of a recipe in their order, and writes recipes that <see cref="RecipeFile"/> reads.</summary>
internal sealed class RecipeWriter
{
    private readonly Dictionary<string, RecipeNode> _items = new(StringComparer.Ordinal);

    /// <summary>True where nothing is stated.</summary>
    public bool IsEmpty => _items.Count == 0;

    /// <summary>States a text; null states nothing.</summary>
    public RecipeWriter Text(string key, string? text) => text is null ? this : Add(key, Scalar(text));

    /// <summary>States a number as the shortest text that reads back as the same bits; null states nothing.</summary>
    public RecipeWriter Number(string key, double? number) => Text(key, number?.ToString("R", CultureInfo.InvariantCulture));

    public RecipeWriter Flag(string key, bool? flag) => Text(key, flag is { } value ? (value ? "true" : "false") : null);

    /// <summary>States a list of texts; an empty one states nothing.</summary>
    public RecipeWriter Texts(string key, IEnumerable<string> texts) => List(key, texts.Select(Scalar));

    /// <summary>States a map; a map of its name alone is that text, and an empty one states nothing.</summary>
    public RecipeWriter Map(string key, RecipeWriter map) => map.IsEmpty ? this : Add(key, map.Node());

    /// <summary>States a list of maps; an empty one states nothing.</summary>
    public RecipeWriter Maps(string key, IEnumerable<RecipeWriter> maps) => List(key, maps.Select(map => map.Node()));

    /// <summary>The text of a recipe file.</summary>
    /// <param name="section">Name of the section.</param>
    /// <param name="map">What it states.</param>
    public static string Recipe(string section, RecipeWriter map)
    {
        var root = new RecipeWriter().Number("version", RecipeFile.Version).Add(section, new RecipeTable(map._items, ""));
        using var text = new StringWriter(CultureInfo.InvariantCulture) { NewLine = "\n" };
        var emitter = new Emitter(text, new EmitterSettings(bestIndent: 2, bestWidth: int.MaxValue, isCanonical: false, maxSimpleKeyLength: 1024).WithIndentedSequences());
        emitter.Emit(new StreamStart());
        emitter.Emit(new DocumentStart(null, null, isImplicit: true));
        Emit(emitter, new RecipeTable(root._items, ""));
        emitter.Emit(new DocumentEnd(isImplicit: true));
        emitter.Emit(new StreamEnd());
        return text.ToString();
    }

    private RecipeWriter List(string key, IEnumerable<RecipeNode> items) => items.ToArray() is { Length: > 0 } list ? Add(key, new RecipeList(list, "")) : this;

    private RecipeWriter Add(string key, RecipeNode node)
    {
        _items.Add(key, node);
        return this;
    }

    private RecipeNode Node() => _items.Count == 1 && _items.GetValueOrDefault("name") is { } name ? name : new RecipeTable(_items, "");

    private static RecipeNode Scalar(string text) => new RecipeScalar(text, "");

    private static void Emit(Emitter emitter, RecipeNode node)
    {
        switch (node)
        {
            case RecipeScalar { Text: var text }:
                // Only double quotes have a form for every character.
                ScalarStyle style = text.Any(char.IsControl) ? ScalarStyle.DoubleQuoted : ScalarStyle.Any;
                emitter.Emit(new Scalar(AnchorName.Empty, TagName.Empty, text, style, isPlainImplicit: true, isQuotedImplicit: true));
                break;
            case RecipeList list:
                emitter.Emit(new SequenceStart(AnchorName.Empty, TagName.Empty, isImplicit: true, list.Items.All(item => item is RecipeScalar) ? SequenceStyle.Flow : SequenceStyle.Block));
                foreach (RecipeNode item in list.Items) Emit(emitter, item);
                emitter.Emit(new SequenceEnd());
                break;
            case RecipeTable table:
                emitter.Emit(new MappingStart(AnchorName.Empty, TagName.Empty, isImplicit: true, MappingStyle.Block));
                foreach ((string key, RecipeNode value) in table.Items)
                {
                    emitter.Emit(new Scalar(key));
                    Emit(emitter, value);
                }
                emitter.Emit(new MappingEnd());
                break;
        }
    }
}
