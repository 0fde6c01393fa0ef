using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using Fewbit.Fuzzing.Data;
using Fewbit.Storage;
using Fewbit.Tensors;

namespace Fewbit.Fuzzing.Weights;

/// <summary>Files of weights: safetensors, and PyTorch's files from the reader's own fixtures, wrong inside where asked for.</summary>
internal static class WeightSeeds
{
    private const string Prefix = "weights/";
    private static readonly byte[][] Fixtures = [.. typeof(WeightSeeds).Assembly.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal).Select(Load)];
    private static readonly string[] Types = ["F32", "F64", "F16", "BF16", "U8", "I8", "I64", "BOOL", "F8_E4M3", "F4", "C64", "U16", "Q5", ""];

    /// <summary>A file that PyTorch wrote.</summary>
    public static byte[] Torch(Random random) => Fixtures[random.Next(Fixtures.Length)];

    /// <summary>A zip archive as PyTorch writes it, with a changed or random pickle, and storages of any length; its checksums are right.</summary>
    public static byte[] TorchZip(Random random)
    {
        byte[] storage = new byte[random.Next(3) == 0 ? random.Next(200) : 96];
        byte[] pickle = random.Next(4) switch
        {
            0 => RandomPickles.Program(random),
            1 when Pickle(random) is { } known => ByteMutations.Apply(known, random, known),
            _ => RandomPickles.Tensor(random, 24),
        };
        (string, byte[])[] entries = [("archive/data.pkl", pickle), ("archive/data/0", storage), (random.Next(9) == 0 ? "archive/data.pkl" : "archive/data/1", storage), ("archive/byteorder", random.Next(20) == 0 ? [1, 2] : Encoding.ASCII.GetBytes("little"))];
        return Zips.Zip(entries.Take(random.Next(8) == 0 ? random.Next(5) : 4), random.Next(4) == 0 ? CompressionLevel.Fastest : CompressionLevel.NoCompression);
    }

    /// <summary>A header whose entries say anything, with its length right.</summary>
    public static byte[] Safetensors(Random random, bool isValid)
    {
        if (isValid) return ValidSafetensors(random);
        var text = new StringBuilder("{");
        long at = 0;
        for (int count = random.Next(1, 5), i = 0; i < count; i++)
        {
            string type = Types[random.Next(random.Next(4) == 0 ? Types.Length : 10)];
            long[] dims = [.. Enumerable.Range(0, random.Next(4)).Select(_ => Interesting.Length(random))];
            long end = random.Next(6) == 0 ? Interesting.Integer(random) : unchecked(at + dims.Aggregate(4L, (product, dim) => product * dim));
            if (i > 0) text.Append(',');
            text.Append(CultureInfo.InvariantCulture, $"\"{(random.Next(9) == 0 ? "__metadata__" : $"t{random.Next(6)}")}\":{{\"dtype\":\"{type}\",\"shape\":[{string.Join(',', dims)}],\"data_offsets\":[{at},{end}]}}");
            at = end;
        }
        string json = text.Append('}').ToString();
        if (random.Next(3) == 0) json = ArraySeeds.Text(json, random);
        return WithHeader(Encoding.UTF8.GetBytes(json), new byte[at is > 0 and < 5000 ? (int)at : random.Next(500)]);
    }

    private static byte[] ValidSafetensors(Random random)
    {
        ElementType[] types = [ElementType.Float32, ElementType.Int8, ElementType.Float16, ElementType.BFloat16, ElementType.Int64, ElementType.Bool, ElementType.Float8E5M2];
        Dictionary<string, Tensor> tensors = Enumerable.Range(0, random.Next(1, 5)).ToDictionary(i => $"layer.{i}.weight",
            _ => Tensor.Allocate(types[random.Next(types.Length)], new Shape([.. Enumerable.Range(0, random.Next(4)).Select(_ => (long)random.Next(5))])));
        using var file = new MemoryStream();
        SafetensorsFile.Write(file, SafetensorsHeader.For(tensors, new Dictionary<string, string> { ["format"] = "pt" }), tensors);
        return file.ToArray();
    }

    private static byte[] WithHeader(byte[] header, byte[] data)
    {
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        return [.. length, .. header, .. data];
    }

    private static byte[]? Pickle(Random random)
    {
        byte[] file = Torch(random);
        if (file[0] != (byte)'P') return null;
        using var archive = new ZipArchive(new MemoryStream(file));
        using var pickle = new MemoryStream();
        using Stream entry = archive.Entries.Single(entry => entry.Name == "data.pkl").Open();
        entry.CopyTo(pickle);
        return pickle.ToArray();
    }

    private static byte[] Load(string name)
    {
        using Stream stream = typeof(WeightSeeds).Assembly.GetManifestResourceStream(name)!;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
