using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Fewbit.Data;
using Fewbit.Tensors;

namespace Fewbit.Storage;

/// <summary>A named part of an <see cref="Artifact"/>: values as JSON, and tensors. Who writes a section owns its version.</summary>
public sealed class ArtifactSection
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web)
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectRequiredConstructorParameters = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    private readonly string _where;

    internal ArtifactSection(string name, int version, JsonObject values, string source) => (Name, Version, Values, _where) = (name, version, values, $"{source}: section '{name}'");

    /// <summary>Name of the section: "training", "rounding".</summary>
    public string Name { get; }

    /// <summary>Version of what the section holds, at least 1.</summary>
    public int Version { get; }

    /// <summary>Small values by name.</summary>
    public JsonObject Values { get; }

    /// <summary>Tensors by name, row-major; those keyed by a model's value bear that value's original name.</summary>
    public Dictionary<string, Tensor> Tensors { get; } = new(StringComparer.Ordinal);

    /// <summary>Writes a value: a number, a text, a list, or a record of such. Numbers read back as the same bits, NaN and infinities included.</summary>
    public void Set<T>(string name, T value) => Values[name] = JsonSerializer.SerializeToNode(value, s_json);

    /// <summary>Reads a value that <see cref="Set{T}"/> wrote.</summary>
    /// <exception cref="InvalidDataException">There is none, or it is something else.</exception>
    public T Get<T>(string name)
    {
        if (!Values.TryGetPropertyValue(name, out JsonNode? node)) throw new InvalidDataException($"{_where} has no value '{name}', it has {Known(Values.Select(pair => pair.Key))}");
        try
        {
            T? value = node.Deserialize<T>(s_json);
            return value is not null || default(T) is null && node is null ? value! : throw new InvalidDataException($"{_where} has null as its value '{name}'");
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or ArgumentException or FormatException)
        {
            throw new InvalidDataException($"{_where} has a value '{name}' that is no {typeof(T).Name}: {Printable.Of(problem.Message, 200)}", problem);
        }
    }

    /// <summary>A tensor by name, which must have the type and shape that are needed.</summary>
    /// <exception cref="InvalidDataException">There is none, or it is of another type or shape.</exception>
    public Tensor Tensor(string name, ElementType type, Shape shape)
    {
        Tensor tensor = Tensor(name);
        return tensor.Type == type && tensor.Shape == shape ? tensor : throw new InvalidDataException($"{_where} has '{name}' as {tensor}, expected {type.Name()} {shape}");
    }

    /// <summary>A tensor by name.</summary>
    /// <exception cref="InvalidDataException">There is none.</exception>
    public Tensor Tensor(string name) => Tensors.TryGetValue(name, out Tensor? tensor) ? tensor : throw new InvalidDataException($"{_where} has no tensor '{name}', it has {Known(Tensors.Keys)}");

    private static string Known(IEnumerable<string> names) => string.Join(", ", names.Take(8).Select(name => Printable.Of(name))) is { Length: > 0 } list ? list : "none";
}
