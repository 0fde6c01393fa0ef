using Fewbit.Graphs;
using Fewbit.Onnx.Protos;
using Fewbit.Tensors;
using Google.Protobuf;

namespace Fewbit.Onnx.Tests;

public class ExternalDataTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1 << 20)]
    public void Save_ExternalData_ReadsBackMappedOrCopied(long mapThreshold)
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "model.onnx");
        Graph graph = Sample();
        OnnxFile.Save(graph, path, new() { ExternalData = true });
        Assert.Equal(["model.onnx", "model.onnx.data"], Directory.EnumerateFiles(folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(4096 + 2000 * sizeof(float), new FileInfo(path + ".data").Length);
        Graph read = OnnxFile.Load(path, new() { MapThreshold = mapThreshold });
        foreach (Value constant in graph.Constants) Assert.Equal(constant.Constant!.Bytes.ToArray(), read.Find(constant.Name)!.Constant!.Bytes.ToArray());
    }

    [Fact]
    public void Save_BeyondTheLimit_UsesExternalData()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "model.onnx");
        OnnxFile.Save(Sample(), path, new() { InlineLimit = 10_000 });
        Assert.True(File.Exists(path + ".data"));
        Assert.Contains("needs external data", Assert.Throws<InvalidDataException>(() => OnnxFile.ToBytes(Sample(), new() { InlineLimit = 10_000 })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Save_FolderMissing_LeavesNothing()
    {
        using var folder = new TemporaryFolder();
        Assert.ThrowsAny<IOException>(() => OnnxFile.Save(Sample(), Path.Combine(folder.Path, "none", "model.onnx")));
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Path));
    }

    [Theory]
    [InlineData("../outside.bin", null, null, "expected a path inside the model's folder")]
    [InlineData("/etc/hostname", null, null, "expected a path inside the model's folder")]
    [InlineData("absent.bin", null, null, "but there is no file")]
    [InlineData("link.bin", null, null, "a link out of the model's folder")]
    [InlineData("w.bin", "8", null, "lies at bytes 8 to 24 of external data 'w.bin', which has 16 bytes")]
    [InlineData("w.bin", "9223372036854775807", null, "which has 16 bytes")]
    [InlineData("w.bin", "-1", null, "has '-1' as offset")]
    [InlineData("w.bin", null, "12", "states 12 bytes of external data, expected 16 for float32 [4]")]
    public void Load_WrongExternalData_SaysWhatIsWrong(string location, string? offset, string? length, string expected)
    {
        using TemporaryFolder outside = new(), folder = new();
        File.CreateSymbolicLink(Path.Combine(folder.Path, "link.bin"), outside.File("target.bin", new byte[16]));
        folder.File("w.bin", new byte[16]);
        var tensor = new TensorProto { Name = "w", DataType = 1, Dims = { 4 } };
        ReaderTests.External(tensor, location);
        if (offset is not null) tensor.ExternalData.Add(new StringStringEntryProto { Key = "offset", Value = offset });
        if (length is not null) tensor.ExternalData.Add(new StringStringEntryProto { Key = "length", Value = length });
        ModelProto model = OneNodeModel.Create("Relu", 13, [2], [], []);
        model.Graph.Initializer.Add(tensor);
        string path = folder.File("model.onnx", model.ToByteArray());
        string message = Assert.Throws<InvalidDataException>(() => OnnxFile.Load(path)).Message;
        Assert.StartsWith($"{path}: initializer 'w' ", message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    /// <summary>Two large constants and a small one.</summary>
    private static Graph Sample()
    {
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float32, [1]);
        foreach (int count in (int[])[1, 1024, 2000])
        {
            x += graph.AddConstant($"w{count}", Tensor.From<float>([.. Enumerable.Range(0, count).Select(i => i * 0.5f)]));
            if (count > 1) x = x.Apply("ReduceSum");
        }
        graph.AddOutput(x);
        return graph;
    }
}
