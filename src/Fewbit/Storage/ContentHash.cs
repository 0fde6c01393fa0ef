using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Fewbit.Data;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Storage;

/// <summary>SHA-256 of contents as 64 small hexadecimal digits: the parts of an <see cref="ArtifactFingerprint"/>.</summary>
public static class ContentHash
{
    private const int SamplesOfData = 16;

    /// <summary>Of the bytes of a file.</summary>
    public static string OfFile(string path)
    {
        using FileStream file = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(file));
    }

    /// <summary>Of texts in order; ("a", "bc") and ("ab", "c") differ.</summary>
    public static string OfText(params ReadOnlySpan<string> texts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string text in texts) Append(hash, text);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Of names, types, shapes and elements, whatever the order of the dictionary.</summary>
    public static unsafe string OfTensors(IReadOnlyDictionary<string, Tensor> tensors)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach ((string name, Tensor tensor) in tensors.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            Append(hash, name);
            Append(hash, tensor.ToString());
            for (long done = 0; done < tensor.ByteCount; done += 1 << 30) hash.AppendData(new ReadOnlySpan<byte>(tensor.Address + done, (int)Math.Min(1 << 30, tensor.ByteCount - done)));
            GC.KeepAlive(tensor);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Of nodes with their attributes, and of constants.</summary>
    internal static string OfGraph(Graph graph)
    {
        IEnumerable<string> nodes = graph.Nodes.Select(node =>
            $"{node} {string.Join(' ', node.Inputs.Select(input => input?.Name))} > {string.Join(' ', node.Outputs.Select(output => output.Name))} {string.Join(' ', node.Attributes.Select(pair => $"{pair.Key}={Text(pair.Value)}"))}");
        IEnumerable<string> ends = graph.Inputs.Concat(graph.Outputs).Select(value => $"{value.Name} {value.Type} {value.Shape}");
        return OfText([.. ends, .. nodes, OfTensors(graph.Constants.ToDictionary(value => value.Name, value => value.Constant!, StringComparer.Ordinal))]);
    }

    private static string? Text(object attribute) => attribute switch
    {
        Tensor tensor => OfTensors(new Dictionary<string, Tensor> { [""] = tensor }),
        Graph graph => OfGraph(graph),
        Array items => string.Join(',', items.Cast<object>().Select(Text)),
        _ => Convert.ToString(attribute, CultureInfo.InvariantCulture),
    };

    /// <summary>Of a data set: the number of samples, all labels, and the content of 16 samples spread over it; where it lies does not matter.</summary>
    public static string OfData(DataSet data)
    {
        ArgumentNullException.ThrowIfNull(data);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, $"{data.Count} {(data.Labels is { } labels ? string.Join(',', labels) : "unlabelled")}");
        for (int i = 0; i < Math.Min(SamplesOfData, data.Count); i++)
        {
            Sample sample = data.Read((int)((long)i * data.Count / Math.Min(SamplesOfData, data.Count)));
            if (sample.Arrays is not null) Append(hash, OfTensors(sample.Arrays));
            if (sample.Picture is not { } picture) continue;
            Append(hash, $"{picture.Width} {picture.Height} {picture.Channels}");
            hash.AppendData(picture.Pixels);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Append(IncrementalHash hash, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        hash.AppendData(length);
        hash.AppendData(bytes);
    }
}
