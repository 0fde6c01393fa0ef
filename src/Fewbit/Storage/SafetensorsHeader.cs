using System.Text.Json;
using Fewbit.Data;
using Fewbit.Tensors;

namespace Fewbit.Storage;

/// <summary>Where a tensor lies among the bytes behind the header.</summary>
internal sealed record SafetensorsEntry(string Name, ElementType Type, Shape Shape, long Start, long End);

/// <summary>The JSON at the start of a safetensors file: every tensor's type, shape and place, and texts.</summary>
/// <remarks>The checks are those of the reference reader: the tensors' bytes follow each other without gap or overlap and end where the file does.</remarks>
internal sealed record SafetensorsHeader(IReadOnlyList<SafetensorsEntry> Entries, IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>The limit of the reference reader.</summary>
    public const int MaxBytes = 100_000_000;
    private const string MetadataKey = "__metadata__";
    private const int Alignment = 64;

    /// <summary>Bytes of all tensors.</summary>
    public long DataBytes => Entries.Count == 0 ? 0 : Entries[^1].End;

    /// <param name="json">The text of the header.</param>
    /// <param name="dataBytes">Bytes of the file behind the header.</param>
    /// <param name="source">The file, for messages.</param>
    public static SafetensorsHeader Parse(ReadOnlyMemory<byte> json, long dataBytes, string source)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new() { AllowDuplicateProperties = false });
            if (document.RootElement.ValueKind != JsonValueKind.Object) throw new InvalidDataException($"{source}: has a safetensors header that is no JSON object");
            var entries = new List<SafetensorsEntry>();
            var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (JsonProperty property in document.RootElement.EnumerateObject())
            {
                if (property.Name == MetadataKey) ReadMetadata(property.Value, metadata, source);
                else entries.Add(ReadEntry(property, source));
            }
            entries.Sort((a, b) => (a.Start, a.End).CompareTo((b.Start, b.End)));
            CheckPlaces(entries, dataBytes, source);
            return new(entries, metadata);
        }
        catch (JsonException problem)
        {
            throw new InvalidDataException($"{source}: has a damaged safetensors header: {Printable.Of(problem.Message, 300)}", problem);
        }
        catch (InvalidOperationException problem)
        {
            // Text of half a surrogate pair is found only when it is read.
            throw new InvalidDataException($"{source}: has a safetensors header with text that is not Unicode", problem);
        }
    }

    /// <summary>A header for these tensors: those of the widest elements first, so that each starts at a multiple of its element's size.</summary>
    public static SafetensorsHeader For(IReadOnlyDictionary<string, Tensor> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        var entries = new List<SafetensorsEntry>();
        long end = 0;
        foreach ((string name, Tensor tensor) in tensors.OrderByDescending(pair => pair.Value.Type.BitWidth()).ThenBy(pair => pair.Key, StringComparer.Ordinal))
        {
            if (name == MetadataKey) throw new ArgumentException($"a tensor cannot be named {MetadataKey} in a safetensors file", nameof(tensors));
            if (tensor.Layout != Layout.RowMajor) throw new ArgumentException($"tensor '{name}' is {tensor}, expected a row-major one", nameof(tensors));
            if (tensor.ElementCount * tensor.Type.BitWidth() % 8 != 0)
                throw new ArgumentException($"tensor '{name}' is {tensor}: its last byte would be shared, which safetensors does not allow", nameof(tensors));
            entries.Add(new(name, tensor.Type, tensor.Shape, end, end += tensor.ByteCount));
        }
        return new(entries, metadata ?? new Dictionary<string, string>());
    }

    /// <summary>The length and the text, padded with spaces so that the tensors start at a multiple of 64 bytes.</summary>
    public byte[] ToBytes()
    {
        using var bytes = new MemoryStream();
        bytes.Write(new byte[sizeof(long)]);
        using (var json = new Utf8JsonWriter(bytes)) Write(json);
        while (bytes.Length % Alignment != 0) bytes.WriteByte((byte)' ');
        byte[] header = bytes.ToArray();
        if (header.Length - sizeof(long) > MaxBytes) throw new ArgumentException($"the safetensors header would have {header.Length} bytes, more than the {MaxBytes} that readers accept");
        System.Buffers.Binary.BinaryPrimitives.WriteInt64LittleEndian(header, header.Length - sizeof(long));
        return header;
    }

    private void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        if (Metadata.Count > 0)
        {
            json.WriteStartObject(MetadataKey);
            foreach ((string key, string text) in Metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal)) json.WriteString(key, text);
            json.WriteEndObject();
        }
        foreach (SafetensorsEntry entry in Entries)
        {
            json.WriteStartObject(entry.Name);
            json.WriteString("dtype", SafetensorsTypes.NameOf(entry.Type, entry.Name));
            WriteNumbers(json, "shape", entry.Shape.Dims);
            WriteNumbers(json, "data_offsets", [entry.Start, entry.End]);
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    private static void WriteNumbers(Utf8JsonWriter json, string name, ReadOnlySpan<long> numbers)
    {
        json.WriteStartArray(name);
        foreach (long number in numbers) json.WriteNumberValue(number);
        json.WriteEndArray();
    }

    private static void ReadMetadata(JsonElement value, Dictionary<string, string> metadata, string source)
    {
        if (value.ValueKind != JsonValueKind.Object) throw new InvalidDataException($"{source}: has {MetadataKey} that is no JSON object of texts");
        foreach (JsonProperty property in value.EnumerateObject())
        {
            metadata.Add(property.Name, property.Value.ValueKind == JsonValueKind.String ? property.Value.GetString()!
                : throw new InvalidDataException($"{source}: has {MetadataKey} '{Printable.Of(property.Name)}' that is no text"));
        }
    }

    private static SafetensorsEntry ReadEntry(JsonProperty property, string source)
    {
        string where = $"{source}: tensor '{Printable.Of(property.Name)}'";
        if (property.Value.ValueKind != JsonValueKind.Object) throw new InvalidDataException($"{where} is not described by a JSON object");
        string dtype = Member(property.Value, "dtype", JsonValueKind.String, where).GetString()!;
        ElementType type = SafetensorsTypes.Find(dtype)
            ?? throw new InvalidDataException($"{where} has dtype '{Printable.Of(dtype)}', expected one of {string.Join(", ", SafetensorsTypes.Names)}");
        long[] dims = Numbers(property.Value, "shape", where), places = Numbers(property.Value, "data_offsets", where);
        if (places.Length != 2) throw new InvalidDataException($"{where} has {places.Length} data_offsets, expected start and end");
        Shape shape = Measure(type, dims, where, out long bytes);
        if (places[1] < places[0] || places[1] - places[0] != bytes)
            throw new InvalidDataException($"{where} is {type.Name()} {shape} of {bytes} bytes, its data_offsets [{places[0]}, {places[1]}] hold {places[1] - places[0]}");
        return new(property.Name, type, shape, places[0], places[1]);
    }

    private static Shape Measure(ElementType type, long[] dims, string where, out long bytes)
    {
        try
        {
            Shape shape = new(dims);
            long bits = checked(shape.ElementCount * type.BitWidth());
            if (bits % 8 != 0) throw new InvalidDataException($"{where} is {type.Name()} {shape}, which does not end at a whole byte");
            bytes = bits / 8;
            return shape;
        }
        catch (OverflowException)
        {
            throw new InvalidDataException($"{where} has the shape [{Printable.Of(string.Join(", ", dims))}], whose elements no memory can hold");
        }
    }

    private static void CheckPlaces(List<SafetensorsEntry> entries, long dataBytes, string source)
    {
        long end = 0;
        foreach (SafetensorsEntry entry in entries)
        {
            if (entry.Start != end)
                throw new InvalidDataException($"{source}: tensor '{Printable.Of(entry.Name)}' starts at byte {entry.Start} behind the header, the one before it ends at {end}: {(entry.Start < end ? "they overlap" : "there is a gap")}");
            end = entry.End;
        }
        if (end != dataBytes) throw new InvalidDataException($"{source}: is truncated or damaged: its tensors have {end} bytes, the file has {dataBytes} behind the header");
    }

    private static long[] Numbers(JsonElement entry, string name, string where)
    {
        JsonElement array = Member(entry, name, JsonValueKind.Array, where);
        if (array.GetArrayLength() > 64) throw new InvalidDataException($"{where} has {array.GetArrayLength()} numbers of {name}, expected at most 64");
        return [.. array.EnumerateArray().Select(item => item.ValueKind == JsonValueKind.Number && item.TryGetInt64(out long number) && number >= 0 ? number
            : throw new InvalidDataException($"{where} has {Printable.Of(item.GetRawText(), 40)} in {name}, expected whole numbers from 0"))];
    }

    private static JsonElement Member(JsonElement entry, string name, JsonValueKind kind, string where) =>
        entry.TryGetProperty(name, out JsonElement member) && member.ValueKind == kind ? member
            : throw new InvalidDataException($"{where} has no {name} that is {(kind == JsonValueKind.Array ? "an array" : "a text")}");
}
