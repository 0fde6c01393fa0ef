using System.Runtime.InteropServices;
using Fewbit.Graphs;
using Fewbit.Onnx.Protos;
using Fewbit.Onnx.Reading;
using Google.Protobuf;
using Microsoft.Win32.SafeHandles;

namespace Fewbit.Onnx;

/// <summary>Reads and writes ONNX models.</summary>
public static partial class OnnxFile
{
    /// <summary>Reads a model file and the external data beside it.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is not a valid ONNX model, or uses what Fewbit does not take; the message begins with the path and names node and tensor.</exception>
    public static Graph Load(string path, OnnxLoadOptions? options = null)
    {
        var file = new FileInfo(path);
        if (!file.Exists) throw new FileNotFoundException(Directory.Exists(path) ? $"{path}: is a folder, expected a model file" : $"{path}: no such model file", path);
        return Checked(path, () =>
        {
            if (file.Length > int.MaxValue) throw new InvalidDataException($"has {file.Length} bytes, but an ONNX file holds at most {int.MaxValue}; larger weights lie in external data");
            return Read(Parse(path), Path.GetDirectoryName(Path.GetFullPath(path)), options);
        });
    }

    /// <summary>Reads a model from the bytes of its file. External data is refused, since there is no folder to look in.</summary>
    /// <exception cref="InvalidDataException">The bytes are not a valid ONNX model, or use what Fewbit does not take.</exception>
    public static Graph Load(ReadOnlySpan<byte> model, OnnxLoadOptions? options = null)
    {
        try
        {
            return Read(Parse(model), null, options);
        }
        catch (InvalidDataException e)
        {
            throw Prefixed($"model of {model.Length} bytes", e);
        }
    }

    /// <summary>Reads a model from a stream to its end. External data is refused, since there is no folder to look in.</summary>
    /// <exception cref="InvalidDataException">The bytes are not a valid ONNX model, or use what Fewbit does not take.</exception>
    public static Graph Load(Stream model, OnnxLoadOptions? options = null)
    {
        using var copy = new MemoryStream();
        model.CopyTo(copy);
        return Load(copy.GetBuffer().AsSpan(0, (int)copy.Length), options);
    }

    private static Graph Read(ModelProto model, string? folder, OnnxLoadOptions? options) => new ModelReader(folder, options ?? new()).Read(model);

    /// <summary>Parses a file from native memory, which is gone as soon as the message stands: a managed copy would lie beside the weights until the next collection.</summary>
    private static unsafe ModelProto Parse(string path)
    {
        using SafeFileHandle file = File.OpenHandle(path, options: FileOptions.SequentialScan);
        int length = (int)Math.Min(RandomAccess.GetLength(file), int.MaxValue), done = 0;
        byte* bytes = (byte*)NativeMemory.Alloc((nuint)length);
        try
        {
            for (int count = 1; count > 0 && done < length; done += count) count = RandomAccess.Read(file, new Span<byte>(bytes + done, length - done), done);
            return Parse(new ReadOnlySpan<byte>(bytes, done));
        }
        finally
        {
            NativeMemory.Free(bytes);
        }
    }

    private static ModelProto Parse(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty) throw new InvalidDataException("is empty, expected an ONNX model");
        if (bytes.StartsWith("version https://git-lfs"u8)) throw new InvalidDataException("is not an ONNX model (a Git LFS pointer stands in for it: fetch it with git lfs pull)");
        try
        {
            return ModelProto.Parser.ParseFrom(bytes);
        }
        // The parser of the protobuf library leaves its buffer on some damaged lengths instead of saying what is wrong.
        catch (Exception e) when (e is InvalidProtocolBufferException or IndexOutOfRangeException or ArgumentOutOfRangeException)
        {
            // Every writer puts ir_version (field 1, a small number) first.
            bool looksLikeModel = bytes is [0x08, > 0 and < 0x80, ..];
            throw new InvalidDataException(Explain(e.Message, looksLikeModel), e);
        }
    }

    private static string Explain(string message, bool looksLikeModel)
    {
        if (message.Contains("nesting", StringComparison.Ordinal)) return "nests graphs or types too deeply, expected at most 100 levels of messages";
        if (looksLikeModel && message.Contains("ended unexpectedly", StringComparison.Ordinal)) return "is truncated: the file ends in the middle of a field";
        return looksLikeModel ? $"is a damaged ONNX model ({message})" : $"is not an ONNX model ({message})";
    }

    internal static T Checked<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (InvalidDataException e)
        {
            throw Prefixed(path, e);
        }
    }

    /// <summary>The error with the file in front, on one line of a bounded length whatever names the file holds.</summary>
    internal static InvalidDataException Prefixed(string source, InvalidDataException e)
    {
        const int longest = 1200;
        string message = e.Message.Length <= longest ? e.Message : $"{e.Message[..(longest / 2)]} ... {e.Message[^(longest / 2)..]}";
        return new($"{source}: {string.Concat(message.Select(c => char.IsControl(c) ? '?' : c))}", e);
    }
}
