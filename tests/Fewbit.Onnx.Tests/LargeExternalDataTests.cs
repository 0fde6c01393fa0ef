using System.Runtime.InteropServices;
using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Onnx.Protos;
using Fewbit.Tensors;
using Google.Protobuf;
using static Fewbit.Onnx.Tests.OneNodeModel;
using Tensor = Fewbit.Tensors.Tensor;

namespace Fewbit.Onnx.Tests;

/// <summary>External data beyond 2 GiB: a sparse file, of which only the pages that are read take memory.</summary>
public class LargeExternalDataTests
{
    private const long Rows = 700_000, Columns = 1024, TableBytes = Rows * Columns * sizeof(float);

    [Fact]
    public void Run_TableBeyondTwoGigabytes_ReadsOnlyWhatIsAsked()
    {
        using var folder = new TemporaryFolder();
        WriteSparse(Path.Combine(folder.Path, "weights.bin"));
        var nodes = new[]
        {
            new NodeProto { OpType = "Gather", Name = "gather", Input = { "table", "x" }, Output = { "rows" } },
            new NodeProto { OpType = "Slice", Name = "slice", Input = { "table", "starts", "ends" }, Output = { "corner" } },
            new NodeProto { OpType = "Add", Name = "add", Input = { "corner", "bias" }, Output = { "y" } },
        };
        ValueInfoProto index = Float("x", [2]);
        index.Type.TensorType.ElemType = (int)ElementType.Int64;
        var graph = new GraphProto
        {
            Name = "large",
            Node = { nodes },
            Input = { index },
            Output = { new ValueInfoProto { Name = "rows" }, new ValueInfoProto { Name = "y" } },
            Initializer = { External("table", 0, Rows, Columns), External("bias", TableBytes, 4), Tensor("starts", Rows - 1, Columns - 4), Tensor("ends", Rows, Columns) },
        };
        string path = folder.File("model.onnx", Of(graph, 13).ToByteArray());
        long before = GC.GetAllocatedBytesForCurrentThread();
        Graph model = OnnxFile.Load(path);
        var inputs = new Dictionary<string, Tensor> { ["x"] = Fewbit.Tensors.Tensor.From(Rows - 1, 3L) };
        Tensor[] interpreted = new Interpreter().Run(model, inputs);
        using var runner = new GraphRunner(model);
        IReadOnlyDictionary<string, Tensor> planned = runner.Run(inputs);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 20);
        foreach (Tensor rows in (Tensor[])[interpreted[0], planned["rows"]])
        {
            Assert.Equal([Columns - 4, Columns - 3, Columns - 2, Columns - 1], rows.Span<float>()[(int)(Columns - 4)..(int)Columns].ToArray());
            Assert.Equal(3 * Columns, rows.Span<float>()[(int)Columns]);
        }
        foreach (Tensor y in (Tensor[])[interpreted[1], planned["y"]]) Assert.Equal([1 + Columns - 4, 2 + Columns - 3, 3 + Columns - 2, 4 + Columns - 1], y.Span<float>().ToArray());
    }

    [Fact]
    public void Load_OffsetBeyondTheEnd_StatesBothIn64Bits()
    {
        using var folder = new TemporaryFolder();
        WriteSparse(Path.Combine(folder.Path, "weights.bin"));
        ModelProto model = Create("Relu", 13, [2], [], []);
        model.Graph.Initializer.Add(External("bias", TableBytes + 4, 4));
        string message = Assert.Throws<InvalidDataException>(() => OnnxFile.Load(folder.File("model.onnx", model.ToByteArray()))).Message;
        Assert.Contains($"lies at bytes {TableBytes + 4} to {TableBytes + 20} of external data 'weights.bin', which has {TableBytes + 16} bytes", message, StringComparison.Ordinal);
    }

    /// <summary>Zeros but for the first number of row 3, the last four of the last row, and four numbers behind the table.</summary>
    private static void WriteSparse(string path)
    {
        using FileStream file = File.Create(path);
        file.SetLength(TableBytes);
        file.Position = 3 * Columns * sizeof(float);
        file.Write(MemoryMarshal.AsBytes([3f * Columns]));
        file.Position = TableBytes - 4 * sizeof(float);
        file.Write(MemoryMarshal.AsBytes([(float)Columns - 4, Columns - 3, Columns - 2, Columns - 1, 1, 2, 3, 4]));
    }

    private static TensorProto External(string name, long offset, params long[] dims)
    {
        var tensor = new TensorProto { Name = name, DataType = (int)ElementType.Float32, Dims = { dims } };
        ReaderTests.External(tensor, "weights.bin");
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "offset", Value = $"{offset}" });
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "length", Value = $"{dims.Aggregate(1L, (a, b) => a * b) * sizeof(float)}" });
        return tensor;
    }
}
