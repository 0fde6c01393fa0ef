using Fewbit.Graphs;
using Fewbit.Onnx.Protos;
using Fewbit.Tensors;
using Google.Protobuf;
using static Fewbit.Onnx.Tests.OneNodeModel;
using Kind = Fewbit.Onnx.Protos.AttributeProto.Types.AttributeType;

namespace Fewbit.Onnx.Tests;

public class ReaderTests
{
    private static readonly Dictionary<string, (Func<ModelProto> Model, string Message)> Wrong = new()
    {
        ["missing input"] = (() => Change(model => model.Graph.Node[0].Input[0] = "z"), "Relu 'node': reads 'z', which is no input, initializer or output of a node"),
        ["missing output"] = (() => Change(model => model.Graph.Output[0].Name = "z"), "output 'z' of graph 'graph' is no input"),
        ["cycle"] = (() => Change(model => model.Graph.Node[0].Input[0] = "y0"), "Relu 'node': lies on or behind a cycle"),
        ["name twice"] = (() => Change(model => model.Graph.Node[0].Output[0] = "x"), "'x' is an output of Relu 'node', but the graph has a value of that name already"),
        ["input twice"] = (() => Change(model => model.Graph.Input.Add(model.Graph.Input[0])), "'x' is an input twice"),
        ["IR version"] = (() => Change(model => model.IrVersion = 99), "has IR version 99, expected 1 to 13"),
        ["opset"] = (() => Change(model => model.OpsetImport[0].Version = 6), "uses opset 6, expected 7 to 28"),
        ["two opsets"] = (() => Change(model => model.OpsetImport.Add(new OperatorSetIdProto { Domain = "ai.onnx", Version = 12 })), "imports versions 13 and 12"),
        ["no graph"] = (() => Change(model => model.Graph = null), "is not an ONNX model (it holds no graph)"),
        ["raw data too short"] = (() => Weight(tensor => tensor.RawData = ByteString.CopyFrom(1, 2, 3)), "initializer 'w' has 3 bytes of raw data, expected 16 for float32 [2, 2]"),
        ["field too short"] = (() => Weight(tensor => tensor.FloatData.Add(1)), "initializer 'w' has 1 numbers in float_data, expected 4 for float32 [2, 2]"),
        ["huge without data"] = (() => Weight(tensor => tensor.Dims[0] = 1L << 40), "expected 2199023255552 for float32"),
        ["overflow"] = (() => Weight(tensor => tensor.Dims.Add([1L << 40, 1L << 40])), "more elements than 63 bits count"),
        ["negative length"] = (() => Weight(tensor => tensor.Dims[0] = -2), "initializer 'w' has dimensions [-2, 2]"),
        ["unknown type"] = (() => Weight(tensor => tensor.DataType = 77), "initializer 'w' has element type 77"),
        ["text"] = (() => Weight(tensor => tensor.DataType = 8), "initializer 'w' holds text, expected numbers"),
        ["segment"] = (() => Weight(tensor => tensor.Segment = new()), "initializer 'w' is one segment"),
        ["number out of range"] = (() => Weight(tensor => { tensor.DataType = 3; tensor.Int32Data.Add([1, 2, 3, 300]); }), "initializer 'w' holds 300 as number 3, expected -128 to 127"),
        ["external without file"] = (() => Weight(tensor => External(tensor, "w.bin")), "was not read from a file: load it by its path"),
        ["sequence"] = (() => Change(model => model.Graph.Input[0].Type = new() { SequenceType = new() }), "input 'x' is a sequence, expected a tensor"),
        ["sparse"] = (() => Change(model => model.Graph.SparseInitializer.Add(new SparseTensorProto { Values = new() { Name = "s" } })), "initializer 's' is a sparse tensor"),
        ["attribute twice"] = (() => Change(model => model.Graph.Node[0].Attribute.Add([Int("a", 1), Int("a", 2)])), "Relu 'node': attribute 'a' is given twice"),
        ["attribute of invalid text"] = (() => Change(model => model.Graph.Node[0].Attribute.Add(new AttributeProto { Name = "a", Type = Kind.String, S = ByteString.CopyFrom(0xFF, 0xFE) })), "attribute 'a' is text of 2 bytes that are not valid UTF-8"),
        ["attribute of a function"] = (() => Change(model => model.Graph.Node[0].Attribute.Add(new AttributeProto { Name = "a", RefAttrName = "b" })), "refers to attribute 'b' of a function"),
        ["deep nesting"] = (() => Change(model => Nest(model.Graph, 60)), "nests graphs or types too deeply"),
        ["function that calls itself"] = (() => Change(model => { model.Graph.Node[0].Domain = "d"; model.Functions.Add(Function("Relu", "Relu")); }), "calls itself"),
    };

    public static TheoryData<string> WrongNames => [.. Wrong.Keys];

    [Theory]
    [MemberData(nameof(WrongNames))]
    public void Load_WrongModel_SaysWhatIsWrong(string name)
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("wrong.onnx", Wrong[name].Model().ToByteArray());
        // Bytes first where the message is about a model without a file.
        string message = Assert.Throws<InvalidDataException>(() => name.Contains("without file", StringComparison.Ordinal) ? OnnxFile.Load(File.ReadAllBytes(path)) : OnnxFile.Load(path)).Message;
        if (!name.Contains("without file", StringComparison.Ordinal)) Assert.StartsWith(path + ": ", message, StringComparison.Ordinal);
        Assert.Contains(Wrong[name].Message, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_NotAModel_SaysSo()
    {
        Assert.Contains("is empty", Message([]), StringComparison.Ordinal);
        Assert.Contains("is not an ONNX model", Message("hello, world\n"u8.ToArray()), StringComparison.Ordinal);
        Assert.Contains("Git LFS pointer", Message("version https://git-lfs.github.com/spec/v1\n"u8.ToArray()), StringComparison.Ordinal);
        Assert.Contains("is not an ONNX model", Message([0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10]), StringComparison.Ordinal);
    }

    [Fact]
    public void Load_EveryTruncation_GivesOneError()
    {
        byte[] model = Weight(tensor => tensor.FloatData.Add([1, 2, 3, 4])).ToByteArray();
        for (int length = 1; length < model.Length; length++)
        {
            byte[] cut = model[..length];
            try
            {
                // A cut between two fields of the model leaves a model, though perhaps one without opset.
                OnnxFile.Load(cut);
            }
            catch (InvalidDataException e)
            {
                Assert.StartsWith($"model of {length} bytes: ", e.Message, StringComparison.Ordinal);
            }
        }
        Assert.Contains("is truncated", Message(model[..(model.Length / 2)]), StringComparison.Ordinal);
    }

    [Fact]
    public void Load_InvalidName_SaysNotUtf8()
    {
        byte[] model = Change(_ => { }).ToByteArray();
        model[model.AsSpan().IndexOf("node"u8)] = 0xFF;
        Assert.Contains("UTF-8", Message(model), StringComparison.Ordinal);
    }

    [Fact]
    public void Load_NodesInAnyOrder_AreSorted()
    {
        Graph graph = OnnxFile.Load(Change(model =>
        {
            model.Graph.Node[0].Input[0] = "later";
            model.Graph.Node.Add(new NodeProto { OpType = "Neg", Input = { "x" }, Output = { "later" } });
        }).ToByteArray());
        Assert.Equal(["Neg", "Relu"], graph.Nodes.Select(node => node.OpType));
    }

    [Fact]
    public void Load_DefaultOfInput_BecomesConstantAndCanBeDeclaredAgain()
    {
        byte[] bytes = Change(model =>
        {
            model.Graph.Initializer.Add(Tensor("x", [2], 1, 2));
        }).ToByteArray();
        Graph graph = OnnxFile.Load(bytes);
        Assert.Empty(graph.Inputs);
        Assert.Equal([1f, 2f], graph.Find("x")!.Constant!.Span<float>().ToArray());
        Assert.Empty(ModelProto.Parser.ParseFrom(OnnxFile.ToBytes(graph)).Graph.Input);
        Assert.Equal("x", Assert.Single(ModelProto.Parser.ParseFrom(OnnxFile.ToBytes(graph, new() { DefaultsAsInputs = true })).Graph.Input).Name);
    }

    [Fact]
    public void Load_FunctionCall_IsExpandedWithAttributes()
    {
        ModelProto model = Create("Twice", 17, [2], [Real("slope", 0.5f)], []);
        model.Graph.Node[0].Domain = "local";
        FunctionProto function = Function("Twice", "LeakyRelu");
        function.Domain = "local";
        function.Attribute.Add("slope");
        function.Node[0].Domain = "";
        function.Node[0].Attribute.Add(new AttributeProto { Name = "alpha", RefAttrName = "slope", Type = Kind.Float });
        function.Node.Add(new NodeProto { OpType = "Neg", Input = { "b" }, Output = { "c" } });
        function.Output[0] = "c";
        model.Functions.Add(function);
        Graph graph = OnnxFile.Load(model.ToByteArray());
        Assert.Equal(["LeakyRelu 'node/inner'", "Neg 'node/Neg'"], graph.Nodes.Select(node => node.ToString()));
        Assert.Equal(0.5f, graph.Nodes[0].Float("alpha"));
        Assert.Equal("y0", Assert.Single(graph.Outputs).Name);
    }

    [Fact]
    public void Load_PackedElements_KeepTheirBytes()
    {
        ModelProto model = Change(m => m.Graph.Initializer.Add(new TensorProto { Name = "w", DataType = (int)ElementType.Int4, Dims = { 3 }, Int32Data = { 0x21, 0x0F } }));
        model.OpsetImport[0].Version = 21;
        Assert.Equal([0x21, 0x0F], OnnxFile.Load(model.ToByteArray()).Find("w")!.Constant!.Bytes.ToArray());
    }

    [Fact]
    public void Save_UnknownFieldsAndDocumentation_Survive()
    {
        ModelProto model = Change(m =>
        {
            m.DocString = "about the model";
            m.Graph.Node[0].DocString = "about the node";
            m.Graph.Input[0].DocString = "about the input";
            m.MetadataProps.Add(new StringStringEntryProto { Key = "k", Value = "v" });
            m.OpsetImport.Add(new OperatorSetIdProto { Domain = "org.example", Version = 3 });
        });
        // Field 777, a number that the format does not know.
        byte[] bytes = [.. model.ToByteArray(), 0xC8, 0x30, 42];
        ModelProto written = ModelProto.Parser.ParseFrom(OnnxFile.ToBytes(OnnxFile.Load(bytes).Clone()));
        Assert.Equal(("about the model", "about the node", "about the input"), (written.DocString, written.Graph.Node[0].DocString, written.Graph.Input[0].DocString));
        Assert.Equal(("k", "v"), (written.MetadataProps[0].Key, written.MetadataProps[0].Value));
        Assert.Equal(3, written.OpsetImport.Single(import => import.Domain == "org.example").Version);
        Assert.True(written.ToByteArray().AsSpan().EndsWith((ReadOnlySpan<byte>)[0xC8, 0x30, 42]));
        Assert.Equal("Fewbit", written.ProducerName);
    }

    private static string Message(byte[] model) => Assert.Throws<InvalidDataException>(() => OnnxFile.Load(model)).Message;

    private static ModelProto Change(Action<ModelProto> change)
    {
        ModelProto model = Create("Relu", 13, [2], [], []);
        change(model);
        return model;
    }

    private static ModelProto Weight(Action<TensorProto> change) => Change(model =>
    {
        var tensor = new TensorProto { Name = "w", DataType = 1, Dims = { 2, 2 } };
        change(tensor);
        model.Graph.Initializer.Add(tensor);
    });

    internal static void External(TensorProto tensor, string location)
    {
        tensor.DataLocation = TensorProto.Types.DataLocation.External;
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = location });
    }

    private static FunctionProto Function(string name, string inner) => new()
    {
        Name = name,
        Domain = "d",
        Input = { "a" },
        Output = { "b" },
        Node = { new NodeProto { OpType = inner, Domain = "d", Name = "inner", Input = { "a" }, Output = { "b" } } },
    };

    private static void Nest(GraphProto graph, int depth)
    {
        for (int i = 0; i < depth; i++)
        {
            var body = new GraphProto { Name = "body" };
            graph.Node.Add(new NodeProto { OpType = "If", Input = { "x" }, Attribute = { new AttributeProto { Name = "then_branch", Type = Kind.Graph, G = body } } });
            graph = body;
        }
    }
}
