using System.Globalization;

namespace Fewbit.Data;

/// <summary>Labels as indices, made from label texts: through the label map, as the numbers they are, or by alphabetical order.</summary>
internal sealed record ClassLabels(IReadOnlyList<int> Labels, IReadOnlyList<string>? Names, string Description)
{
    /// <param name="texts">Label text of each sample.</param>
    /// <param name="map">The model's classes if they were given.</param>
    /// <param name="where">The file or folder, for messages.</param>
    public static ClassLabels From(IReadOnlyList<string> texts, LabelMap? map, string where)
    {
        string[] distinct = [.. texts.Distinct().Order(StringComparer.Ordinal)];
        bool numeric = distinct.All(text => Number(text) is not null);
        Dictionary<string, int> indices;
        if (map is not null) indices = distinct.ToDictionary(text => text, text => map.Find(text) ?? Number(text) ?? map.Require(text, where));
        else if (numeric) indices = distinct.ToDictionary(text => text, text => Number(text)!.Value);
        else indices = distinct.Select((text, index) => (text, index)).ToDictionary(item => item.text, item => item.index);
        string order = map is not null ? $"in the order of {map.Source}" : numeric ? "numbered by the labels themselves" : "in alphabetical order";
        return new([.. texts.Select(text => indices[text])], map?.Names ?? (numeric ? null : distinct), $"{Plural(distinct.Length, "class", "classes")} {order}");
    }

    internal static string Plural(int count, string one, string many) => string.Create(CultureInfo.InvariantCulture, $"{count} {(count == 1 ? one : many)}");

    private static int? Number(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value < 1_000_000 ? value : null;
}
