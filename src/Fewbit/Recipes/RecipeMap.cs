using System.Globalization;
using Fewbit.Data;

namespace Fewbit.Recipes;

/// <summary>Keys and values of a part of a recipe, read by type; what is read by nobody is an error in the end.</summary>
/// <param name="table">The values.</param>
/// <param name="path">Keys that lead here: "training.optimizer"; empty for the whole recipe.</param>
internal sealed class RecipeMap(RecipeTable table, string path)
{
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);

    /// <summary>A part without values, to be filled from the command line.</summary>
    public static RecipeMap Empty(string path) => new(new(new(StringComparer.Ordinal), "the command line"), path);

    /// <summary>The keys that have a value.</summary>
    public IReadOnlyCollection<string> Keys => table.Items.Keys;

    /// <summary>Puts a value in place of the one that is there.</summary>
    /// <param name="keys">Keys from here on, dots between: "optimizer.learning-rate".</param>
    /// <param name="text">The value.</param>
    /// <param name="where">What states it: "--lr".</param>
    public void Set(string keys, string text, string where)
    {
        Dictionary<string, RecipeNode> items = table.Items;
        string[] parts = keys.Split('.');
        foreach (string part in parts[..^1])
        {
            // "optimizer: adam" stands for a map with that name.
            if (items.GetValueOrDefault(part) is not RecipeTable inner)
                items[part] = inner = new(items.GetValueOrDefault(part) is RecipeScalar name ? new(StringComparer.Ordinal) { ["name"] = name } : new(StringComparer.Ordinal), where);
            items = inner.Items;
        }
        items[parts[^1]] = new RecipeScalar(text, where);
    }

    /// <summary>Reads all of a part; then every key must have been read, and a number out of its range names its key.</summary>
    public T Read<T>(Func<RecipeMap, T> read)
    {
        T result;
        try
        {
            result = read(this);
        }
        catch (ArgumentOutOfRangeException problem) when (problem.ParamName is { } name && table.Items.ContainsKey(KeyOf(name)))
        {
            throw Fail(KeyOf(name), string.Create(CultureInfo.InvariantCulture, $"is {problem.ActualValue}, it {problem.Message.Split(" (Parameter", 2)[0]}"));
        }
        foreach (string key in Keys.Where(key => !_read.Contains(key)))
            throw Fail(key, $"is unknown here{Closest.Suggestion(key, _read)}; there are {string.Join(", ", _read.Order(StringComparer.Ordinal))}");
        return result;
    }

    /// <summary>The text of a key; null where it is not stated.</summary>
    public string? Text(string key) => Node(key) switch
    {
        null => null,
        RecipeScalar scalar => scalar.Text,
        _ => throw Fail(key, "has several values, expected one"),
    };

    /// <summary>The number of a key; null where it is not stated.</summary>
    public double? Number(string key) => Text(key) is not { } text ? null
        : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number) ? number : throw Fail(key, $"is '{Printable.Of(text)}', expected a number");

    /// <summary>The whole number of a key; null where it is not stated.</summary>
    public int? Integer(string key) => Text(key) is not { } text ? null
        : int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number) ? number : throw Fail(key, $"is '{Printable.Of(text)}', expected a whole number");

    /// <summary>The flag of a key; null where it is not stated.</summary>
    public bool? Flag(string key) => Text(key) switch
    {
        null => null,
        "true" => true,
        "false" => false,
        string text => throw Fail(key, $"is '{Printable.Of(text)}', expected true or false"),
    };

    /// <summary>The whole numbers of a key: a list, or a text with commas.</summary>
    public IReadOnlyList<int>? Integers(string key)
    {
        IEnumerable<string>? texts = Node(key) switch
        {
            null => null,
            RecipeList list => list.Items.Select(item => item is RecipeScalar scalar ? scalar.Text : throw Fail(key, "holds more than numbers")),
            RecipeScalar scalar => scalar.Text.Split(','),
            _ => throw Fail(key, "is a map, expected a list of whole numbers"),
        };
        return texts is null ? null : [.. texts.Select(text => int.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out int number)
            ? number : throw Fail(key, $"has '{Printable.Of(text)}', expected whole numbers"))];
    }

    /// <summary>One of some names; null where it is not stated.</summary>
    public string? Choice(string key, params IReadOnlyList<string> names) => Text(key) is not { } text ? null
        : names.Contains(text) ? text : throw Fail(key, $"is '{Printable.Of(text)}', expected {string.Join(", ", names)}{Closest.Suggestion(text, names)}");

    /// <summary>What a text stands for; null where it is not stated.</summary>
    /// <param name="key">The key.</param>
    /// <param name="parse">Throws <see cref="ArgumentException"/> for a text that stands for nothing.</param>
    public T? Parsed<T>(string key, Func<string, T> parse) where T : class => Text(key) is { } text ? Parsed(key, text, parse) : null;

    /// <inheritdoc cref="Parsed{T}(string, Func{string, T})"/>
    public T? ParsedValue<T>(string key, Func<string, T> parse) where T : struct => Text(key) is { } text ? Parsed(key, text, parse) : null;

    /// <summary>The texts of a list, or a lone text; none where it is not stated.</summary>
    public IReadOnlyList<string> Texts(string key) => Node(key) switch
    {
        null => [],
        RecipeScalar scalar => [scalar.Text],
        RecipeList list => [.. list.Items.Select(item => item is RecipeScalar scalar ? scalar.Text : throw Fail(key, "holds more than texts"))],
        _ => throw Fail(key, "is a map, expected a list of texts"),
    };

    /// <summary>The map of a key; a lone text is its "name". Null where it is not stated.</summary>
    public RecipeMap? Map(string key) => Node(key) switch
    {
        null => null,
        var node => new(AsTable(node) ?? throw Fail(key, "has no values, expected a map of keys"), Join(key)),
    };

    /// <summary>The maps of a list; a lone text is the "name" of one. None where it is not stated.</summary>
    public IReadOnlyList<RecipeMap> Maps(string key) => Node(key) switch
    {
        null => [],
        RecipeList list => [.. list.Items.Select((item, index) => new RecipeMap(AsTable(item) ?? throw Fail(key, "is no list of maps"), $"{Join(key)}[{index.ToString(CultureInfo.InvariantCulture)}]"))],
        _ => throw Fail(key, "is no list, expected entries that begin with '-'"),
    };

    /// <summary>An error about this part.</summary>
    public InvalidDataException Fail(string message) => new($"{table.Where}: {(path.Length == 0 ? "the recipe" : path)} {message}");

    /// <summary>An error about a key.</summary>
    public InvalidDataException Fail(string key, string message) => new($"{table.Items.GetValueOrDefault(key)?.Where ?? table.Where}: {Printable.Of(Join(key))} {message}");

    private static RecipeTable? AsTable(RecipeNode node) => node switch
    {
        RecipeTable inner => inner,
        RecipeScalar { Text.Length: > 0 } name => new(new(StringComparer.Ordinal) { ["name"] = name }, name.Where),
        _ => null,
    };

    private T Parsed<T>(string key, string text, Func<string, T> parse)
    {
        try
        {
            return parse(text);
        }
        catch (ArgumentException problem)
        {
            throw Fail(key, $"is '{Printable.Of(text)}': {Printable.Of(problem.Message.Split(" (Parameter", 2)[0], 300)}");
        }
    }

    private string Join(string key) => path.Length == 0 ? key : $"{path}.{key}";

    private RecipeNode? Node(string key)
    {
        _read.Add(key);
        return table.Items.GetValueOrDefault(key);
    }

    /// <summary>"LearningRate" as "learning-rate".</summary>
    private static string KeyOf(string property) =>
        string.Concat(property.Select((c, index) => char.IsUpper(c) ? (index == 0 ? "" : "-") + char.ToLowerInvariant(c) : c.ToString()));
}
