using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Onnx.Protos;
using Fewbit.Onnx.Upgrade;
using Fewbit.OnnxRuntime;
using Fewbit.Tensors;
using Fewbit.Testing;
using Google.Protobuf;
using static Fewbit.Onnx.Tests.OneNodeModel;

namespace Fewbit.Onnx.Tests;

public class UpgradeTests
{
    private static readonly Dictionary<string, Func<ModelProto>> Models = new()
    {
        ["Softmax 11 over several dimensions"] = () => Create("Softmax", 11, [2, 3, 4, 5], [Int("axis", 2)], []),
        ["Softmax 7 default axis"] = () => Create("Softmax", 7, [2, 3, 4], [], []),
        ["Softmax 9 last axis"] = () => Create("Softmax", 9, [2, 3, 4], [Int("axis", 2)], []),
        ["Softmax 9 channels of one pixel"] = () => Create("Softmax", 9, [2, 7, 1, 1], [Int("axis", 1)], []),
        ["LogSoftmax 9"] = () => Create("LogSoftmax", 9, [2, 3, 4], [Int("axis", 0)], []),
        ["Hardmax 11 negative axis"] = () => Create("Hardmax", 11, [2, 3, 4], [Int("axis", -2)], []),
        ["Squeeze 7"] = () => Create("Squeeze", 7, [1, 3, 1, 4], [Ints("axes", 0, 2)], []),
        ["Squeeze 12 without axes"] = () => Create("Squeeze", 12, [1, 3, 1, 4], [], []),
        ["Unsqueeze 9"] = () => Create("Unsqueeze", 9, [3, 4], [Ints("axes", 0, 3)], []),
        ["Split 7 unequal"] = () => Create("Split", 7, [2, 6], [Int("axis", 1), Ints("split", 2, 4)], [], outputs: 2),
        ["Split 11 equal"] = () => Create("Split", 11, [2, 6], [Int("axis", 1)], [], outputs: 3),
        ["ReduceSum 11"] = () => Create("ReduceSum", 11, [2, 3, 4], [Ints("axes", 0, -1), Int("keepdims", 0)], []),
        ["ReduceSum 7 over all"] = () => Create("ReduceSum", 7, [2, 3, 4], [], []),
        ["Pad 10"] = () => Create("Pad", 10, [2, 3], [Ints("pads", 1, 0, 2, 3), Real("value", 1.5f)], []),
        ["Pad 9 reflect"] = () => Create("Pad", 9, [4, 5], [Ints("pads", 1, 2, 2, 1), Text("mode", "reflect")], []),
        ["Clip 7"] = () => Create("Clip", 7, [2, 30], [Real("min", -0.5f), Real("max", 1f)], []),
        ["Clip 10 upper bound"] = () => Create("Clip", 10, [2, 30], [Real("max", 0.25f)], []),
        ["Slice 9"] = () => Create("Slice", 9, [5, 6, 7], [Ints("axes", 0, 2), Ints("starts", 1, -3), Ints("ends", 4, int.MaxValue)], []),
        ["Slice 7 without axes"] = () => Create("Slice", 7, [5, 6], [Ints("starts", 1, 0), Ints("ends", -1, 3)], []),
        ["TopK 9"] = () => TopK(),
        ["Upsample 7 nearest"] = () => Create("Upsample", 7, [1, 2, 3, 4], [Floats("scales", 1, 1, 2, 2.5f), Text("mode", "nearest")], []),
        ["Upsample 9 linear"] = () => Create("Upsample", 9, [1, 2, 3, 4], [Text("mode", "linear")], [Tensor("scales", [4], 1, 1, 2, 2)]),
        ["Resize 10 nearest growing"] = () => Create("Resize", 10, [1, 2, 3, 4], [], [Tensor("scales", [4], 1, 1, 2, 3)]),
        ["Resize 10 nearest shrinking"] = () => Create("Resize", 10, [1, 2, 5, 7], [], [Tensor("scales", [4], 1, 1, 0.6f, 0.5f)]),
        ["Resize 10 nearest growing and shrinking"] = () => Create("Resize", 10, [1, 2, 5, 7], [], [Tensor("scales", [4], 1, 1, 2, 0.6f)]),
        ["Resize 10 linear"] = () => Create("Resize", 10, [1, 2, 5, 7], [Text("mode", "linear")], [Tensor("scales", [4], 1, 1, 2, 0.6f)]),
        ["Resize 11 with empty inputs"] = () => Create("Resize", 11, [1, 2, 3, 4], [Text("mode", "linear")], [Empty("roi"), Empty("scales"), Tensor("sizes", 1, 2, 6, 8)]),
        ["Resize 11 tf_half_pixel_for_nn"] = () => Create("Resize", 11, [1, 2, 3, 4], [Text("coordinate_transformation_mode", "tf_half_pixel_for_nn"), Text("nearest_mode", "floor")], [Empty("roi"), Tensor("scales", [4], 1, 1, 2.5f, 2)]),
        ["Dropout 7"] = () => Create("Dropout", 7, [2, 3], [Real("ratio", 0.3f)], []),
        ["BatchNormalization 7"] = () => Create("BatchNormalization", 7, [2, 3, 4, 4], [Real("epsilon", 1e-3f), Int("spatial", 1)], Statistics(3)),
        ["Gemm 9"] = () => Create("Gemm", 9, [2, 3], [Int("transB", 1)], [Tensor("b", [2, 3], 1, 2, 3, 4, 5, 6), Tensor("c", [2], 7, 8)]),
        ["Scatter 9"] = () => Create("Scatter", 9, [3, 3], [Int("axis", 1)], [Indices(), Tensor("updates", [1, 2], 8, 9)]),
    };

    public static TheoryData<string> Names => [.. Models.Keys];

    [RuntimeTheory]
    [MemberData(nameof(Names))]
    public void Load_OldOpset_RunsIdenticallyInOnnxRuntime(string name)
    {
        byte[] original = Models[name]().ToByteArray();
        Graph graph = OnnxFile.Load(original);
        Assert.Equal(OpsetUpgrade.Target, graph.OpsetVersion(""));
        var library = OnnxRuntimeLibrary.Open(Oracles.OnnxRuntimeLibrary);
        var options = new OnnxRuntimeOptions { OptimizationLevel = GraphOptimizationLevel.Off, Threads = 1 };
        using var before = OnnxRuntimeSession.Load(library, original, options);
        using var after = OnnxRuntimeSession.Load(library, OnnxFile.ToBytes(graph), options);
        var inputs = RandomInputs.For(before.Inputs, 7, (_, _) => 2);
        var expected = before.Run(inputs);
        Assert.Equal(expected.Keys, graph.Outputs.Select(output => output.Name));
        foreach ((string output, Tensor tensor) in after.Run(inputs))
        {
            Assert.Equal(expected[output].ToString(), tensor.ToString());
            Assert.Equal(expected[output].Bytes.ToArray(), tensor.Bytes.ToArray());
        }
    }

    [Fact]
    public void Load_OldAndNewOpsets_UpgradesOldOnesAndTellsWhatTheFileSaid()
    {
        Assert.Equal(13, OnnxFile.Load(Create("Softmax", 13, [2, 3, 4], [], []).ToByteArray()).OpsetVersion(""));
        Assert.Equal(17, OnnxFile.Load(Create("Softmax", 17, [2, 3, 4], [], []).ToByteArray()).OpsetVersion(""));
        Graph upgraded = OnnxFile.Load(Create("Softmax", 9, [2, 3, 4], [], []).ToByteArray());
        Assert.Equal((13, 9), (upgraded.OpsetVersion(""), OnnxFile.Describe(upgraded).OpsetVersion));
    }

    [Fact]
    public void Load_ResizeWithoutEquivalent_RunsButIsNotWritten()
    {
        ModelProto model = Create("Resize", 11, [1, 2, 3, 4], [Text("coordinate_transformation_mode", "tf_half_pixel_for_nn")], [Empty("roi"), Tensor("scales", [4], 1, 1, 2.5f, 2)]);
        Graph graph = OnnxFile.Load(model.ToByteArray());
        Assert.Equal([1, 2, 7, 8], new Interpreter().Run(graph, new Dictionary<string, Tensor> { ["x"] = Fewbit.Tensors.Tensor.Allocate(ElementType.Float32, [1, 2, 3, 4]) })[0].Shape);
        string message = Assert.Throws<InvalidDataException>(() => OnnxFile.ToBytes(graph)).Message;
        Assert.Contains("Resize 'node': has coordinate_transformation_mode tf_half_pixel_for_nn, which opset 13 lacks", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_BatchedScan_BecomesScanOverTheBatch()
    {
        var body = new GraphProto
        {
            Name = "body",
            Node = { new NodeProto { OpType = "Add", Input = { "sum_in", "next" }, Output = { "sum_out" } }, new NodeProto { OpType = "Identity", Input = { "sum_out" }, Output = { "scan_out" } } },
            Input = { Float("sum_in", [2]), Float("next", [2]) },
            Output = { Float("sum_out", [2]), Float("scan_out", [2]) },
        };
        var scan = new NodeProto { OpType = "Scan", Name = "scan", Input = { "", "initial", "x" }, Output = { "y", "z" }, Attribute = { Int("num_scan_inputs", 1), new AttributeProto { Name = "body", Type = AttributeProto.Types.AttributeType.Graph, G = body } } };
        ModelProto model = Of(new() { Name = "graph", Node = { scan }, Input = { Float("initial", [1, 2]), Float("x", [1, 3, 2]) }, Output = { Float("y", [1, 2]), Float("z", [1, 3, 2]) } }, 8);
        Node outer = Assert.Single(OnnxFile.Load(model.ToByteArray()).Nodes);
        Assert.Equal(2, outer.Int("num_scan_inputs"));
        Node inner = Assert.Single(outer.Subgraph("body").Nodes);
        Assert.Equal((1, "Scan"), (inner.Int("num_scan_inputs"), inner.OpType));
        Assert.Equal(["Add", "Identity"], inner.Subgraph("body").Nodes.Select(node => node.OpType));
    }

    private static ModelProto TopK()
    {
        ModelProto model = Create("TopK", 9, [3, 8], [Int("k", 3), Int("axis", 1)], [], outputs: 2);
        model.Graph.Output[1].Type.TensorType.ElemType = (int)ElementType.Int64;
        return model;
    }

    private static TensorProto Indices() => new() { Name = "indices", DataType = 7, Dims = { 1, 2 }, Int64Data = { 1, 2 } };

    private static TensorProto[] Statistics(int channels)
    {
        float[] ramp = [.. Enumerable.Range(1, channels).Select(i => i * 0.5f)];
        return [.. new[] { "scale", "bias", "mean", "variance" }.Select(name => Tensor(name, [channels], ramp))];
    }
}
