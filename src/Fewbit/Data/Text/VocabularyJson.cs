using System.Text.Json;

namespace Fewbit.Data.Text;

/// <summary>A vocabulary as JSON: { "kind": "words", "tokens": [...] }. Read are also a plain list of tokens and a map from token to number.</summary>
internal static class VocabularyJson
{
    private static readonly JsonSerializerOptions s_options = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static byte[] Write(Vocabulary vocabulary) =>
        JsonSerializer.SerializeToUtf8Bytes(new { kind = vocabulary.Kind == VocabularyKind.Words ? "words" : "characters", tokens = vocabulary.Tokens }, s_options);

    public static Vocabulary Read(ReadOnlyMemory<byte> json, string path)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new() { AllowDuplicateProperties = false });
            JsonElement root = document.RootElement;
            bool isOurs = root.ValueKind == JsonValueKind.Object && root.TryGetProperty("kind", out JsonElement kind) && kind.ValueKind == JsonValueKind.String;
            string[] tokens = isOurs ? List(root.GetProperty("tokens")) : root.ValueKind == JsonValueKind.Array ? List(root) : Map(root);
            bool isCharacters = isOurs ? root.GetProperty("kind").GetString() == "characters" : tokens.All(token => Vocabulary.IsCharacter(token) || token == Vocabulary.Unknown);
            return new(isCharacters ? VocabularyKind.Characters : VocabularyKind.Words, tokens);
        }
        catch (Exception problem) when (problem is JsonException or KeyNotFoundException or InvalidOperationException or ArgumentException or FormatException)
        {
            throw new InvalidDataException($"{path}: is no vocabulary, expected {{ \"kind\": \"characters\" or \"words\", \"tokens\": [...] }}: {Printable.Of(problem.Message, 300)}", problem);
        }
    }

    private static string[] List(JsonElement array) => [.. array.EnumerateArray().Select(item => item.GetString() ?? throw new FormatException("a token is null"))];

    /// <summary>Numbers must be 0 to count - 1, each once.</summary>
    private static string[] Map(JsonElement map)
    {
        (string Token, int Number)[] pairs = [.. map.EnumerateObject().Select(pair => (pair.Name, pair.Value.GetInt32())).OrderBy(pair => pair.Item2)];
        for (int i = 0; i < pairs.Length; i++)
            if (pairs[i].Number != i) throw new FormatException($"the numbers are not 0 to {pairs.Length - 1}, each once: '{pairs[i].Token}' has {pairs[i].Number}");
        return [.. pairs.Select(pair => pair.Token)];
    }
}
