using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Fewbit.Data;

namespace Fewbit.Storage;

/// <summary>The JSON of an artifact: format, version, kind, fingerprint, the side file, and the sections' values.</summary>
internal static class ArtifactJson
{
    public const int Version = 1;
    public const string Format = "fewbit-artifact";
    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Write(Artifact artifact, SideFile? side)
    {
        var root = new JsonObject
        {
            ["format"] = Format,
            ["version"] = Version,
            ["kind"] = artifact.Kind,
            ["fingerprint"] = new JsonObject { ["model"] = artifact.Fingerprint.Model, ["data"] = artifact.Fingerprint.Data, ["options"] = artifact.Fingerprint.Options },
        };
        if (side is not null) root["tensors"] = new JsonObject { ["file"] = side.Name, ["sha256"] = side.Sha256 };
        var sections = new JsonObject();
        foreach (ArtifactSection section in artifact.Sections) sections[section.Name] = new JsonObject { ["version"] = section.Version, ["values"] = section.Values.DeepClone() };
        root["sections"] = sections;
        return root.ToJsonString(s_indented) + "\n";
    }

    public static (Artifact, SideFile?) Read(string json, string path)
    {
        try
        {
            JsonObject root = JsonNode.Parse(json, documentOptions: new() { AllowDuplicateProperties = false }) as JsonObject ?? throw new InvalidDataException($"{path}: is not a JSON object");
            CheckVersion(root, path);
            JsonObject fingerprint = Member<JsonObject>(root, "fingerprint", path);
            var artifact = new Artifact(Text(root, "kind", path), new(Text(fingerprint, "model", path), Text(fingerprint, "data", path), Text(fingerprint, "options", path)), path);
            foreach ((string name, JsonNode? node) in Member<JsonObject>(root, "sections", path)) AddSection(artifact, name, node, path);
            return (artifact, root["tensors"] is null ? null : ReadSide(Member<JsonObject>(root, "tensors", path), path));
        }
        catch (JsonException problem)
        {
            throw new InvalidDataException($"{path}: is not valid JSON: {Printable.Of(problem.Message, 300)}", problem);
        }
        catch (Exception problem) when (problem is InvalidOperationException or ArgumentException)
        {
            throw new InvalidDataException($"{path}: is a damaged artifact: {Printable.Of(problem.Message, 300)}", problem);
        }
    }

    private static void CheckVersion(JsonObject root, string path)
    {
        if (root["format"] is not JsonValue format || !format.TryGetValue(out string? name) || name != Format) throw new InvalidDataException($"{path}: is no Fewbit plan or checkpoint (format is not \"{Format}\")");
        int version = Whole(root, "version", path);
        if (version > Version) throw new InvalidDataException($"{path}: is of artifact version {version}, this Fewbit knows up to {Version}; use a newer Fewbit");
    }

    private static void AddSection(Artifact artifact, string name, JsonNode? node, string path)
    {
        if (node is not JsonObject section || !Artifact.IsName(name)) throw new InvalidDataException($"{path}: has a section '{Printable.Of(name)}' that is none");
        JsonObject values = Member<JsonObject>(section, "values", path);
        _ = values.Count; // Repeated keys are found only when the object is used.
        section.Remove("values");
        artifact.Add(name, Whole(section, "version", path), values);
    }

    private static SideFile ReadSide(JsonObject tensors, string path)
    {
        string file = Text(tensors, "file", path), hash = Text(tensors, "sha256", path);
        bool isPlain = file.EndsWith(".safetensors", StringComparison.Ordinal) && file.Length <= 255 && !file.Any(c => c is '/' or '\\' or ':' || char.IsControl(c));
        if (!isPlain) throw new InvalidDataException($"{path}: names '{Printable.Of(file)}' as its tensors, expected the name of a .safetensors file in the same folder");
        return new(file, hash);
    }

    private static T Member<T>(JsonObject parent, string name, string path) where T : JsonNode =>
        parent[name] as T ?? throw new InvalidDataException($"{path}: is a damaged artifact: '{name}' is missing or of another kind");

    private static string Text(JsonObject parent, string name, string path) => Member<JsonValue>(parent, name, path).TryGetValue(out string? text) ? text
        : throw new InvalidDataException($"{path}: is a damaged artifact: '{name}' is no text");

    private static int Whole(JsonObject parent, string name, string path) => Member<JsonValue>(parent, name, path).TryGetValue(out int number) && number >= 1 ? number
        : throw new InvalidDataException($"{path}: is a damaged artifact: '{name}' is no whole number from 1");
}
