using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Fewbit.Tensors;

namespace Fewbit.Storage;

/// <summary>SHA-256 of contents as 64 small hexadecimal digits: the parts of an <see cref="ArtifactFingerprint"/>.</summary>
public static class ContentHash
{
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

    private static void Append(IncrementalHash hash, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        hash.AppendData(length);
        hash.AppendData(bytes);
    }
}
