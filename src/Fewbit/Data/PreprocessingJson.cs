using System.Text.Json;
using System.Text.Json.Nodes;

namespace Fewbit.Data;

/// <summary>Preprocessing settings as JSON: flat, every key named, unknown keys refused.</summary>
internal static class PreprocessingJson
{
    private static readonly string[] Keys = ["preset", "name", "fit", "margin", "filter", "colourOrder", "layout", "size", "enlarge", "luminance", "divideBy", "mean", "std"];

    public static string Write(Preprocessing settings)
    {
        var json = new JsonObject
        {
            ["name"] = settings.Name,
            ["fit"] = NameOf(settings.Fit),
            ["margin"] = settings.Margin,
            ["filter"] = NameOf(settings.Filter),
            ["colourOrder"] = NameOf(settings.ColourOrder),
            ["layout"] = NameOf(settings.Layout),
            ["size"] = settings.Size,
            ["divideBy"] = settings.DivideBy,
            ["mean"] = new JsonArray([.. settings.Mean.Select(value => (JsonNode)value)]),
            ["std"] = new JsonArray([.. settings.Std.Select(value => (JsonNode)value)]),
        };
        // Of use to few models; what wrote them without these keys meant the defaults.
        if (settings.Enlarge != 1) json["enlarge"] = settings.Enlarge;
        if (settings.Luminance != LumaRange.Full) json["luminance"] = NameOf(settings.Luminance);
        return json.ToJsonString();
    }

    /// <summary>Reads settings; "preset" names what the other keys change, else the defaults of <see cref="Preprocessing"/> hold.</summary>
    public static Preprocessing Read(string json, string source)
    {
        JsonObject root = Parse(json, source);
        foreach ((string key, _) in root)
        {
            if (!Keys.Contains(key))
                throw new InvalidDataException($"{source}: unknown preprocessing key '{Printable.Of(key)}', expected {string.Join(", ", Keys)}{Closest.Suggestion(key, Keys)}");
        }
        try
        {
            Preprocessing start = root["preset"] is { } preset ? Preprocessing.Preset(preset.GetValue<string>()) : new() { Name = Path.GetFileNameWithoutExtension(source) };
            return start with
            {
                Name = root["name"]?.GetValue<string>() ?? start.Name,
                Fit = Choice(root, "fit", start.Fit),
                Margin = root["margin"]?.GetValue<double>() ?? start.Margin,
                Filter = Choice(root, "filter", start.Filter),
                ColourOrder = Choice(root, "colourOrder", start.ColourOrder),
                Layout = Choice(root, "layout", start.Layout),
                Size = root["size"]?.GetValue<int>() ?? start.Size,
                Enlarge = root["enlarge"]?.GetValue<int>() ?? start.Enlarge,
                Luminance = Choice(root, "luminance", start.Luminance),
                DivideBy = root["divideBy"]?.GetValue<double>() ?? start.DivideBy,
                Mean = Numbers(root["mean"]) ?? start.Mean,
                Std = Numbers(root["std"]) ?? start.Std,
            };
        }
        catch (Exception problem) when (problem is ArgumentException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"{source}: {Printable.Of(problem.Message, 300)}", problem);
        }
    }

    private static JsonObject Parse(string json, string source)
    {
        try
        {
            var options = new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };
            JsonObject? root = JsonNode.Parse(json, documentOptions: options) as JsonObject;
            // Keys are compared only when one is asked for.
            _ = root?.Count;
            return root ?? throw new InvalidDataException($"{source}: is not a JSON object of preprocessing settings, like {{ \"preset\": \"imagenet\", \"colourOrder\": \"bgr\" }}");
        }
        catch (JsonException problem)
        {
            throw new InvalidDataException($"{source}: is not valid JSON: {Printable.Of(problem.Message, 300)}", problem);
        }
        catch (ArgumentException problem)
        {
            throw new InvalidDataException($"{source}: repeats a JSON key: {Printable.Of(problem.Message, 300)}", problem);
        }
    }

    private static T Choice<T>(JsonObject root, string key, T fallback) where T : struct, Enum
    {
        if (root[key] is not { } node) return fallback;
        string text = node.GetValue<string>();
        foreach (T value in Enum.GetValues<T>())
            if (string.Equals(NameOf(value), text, StringComparison.OrdinalIgnoreCase)) return value;
        string[] names = [.. Enum.GetValues<T>().Select(NameOf)];
        throw new ArgumentException($"'{key}' is '{text}', expected {string.Join(", ", names)}{Closest.Suggestion(text, names)}");
    }

    private static double[]? Numbers(JsonNode? node) => node switch
    {
        null => null,
        JsonArray array => [.. array.Select(item => item?.GetValue<double>() ?? throw new FormatException("a list of numbers holds null"))],
        _ => [node.GetValue<double>()],
    };

    private static string NameOf<T>(T value) where T : struct, Enum => value is PictureFit.ShortSide ? "short-side" : value.ToString().ToLowerInvariant();
}
