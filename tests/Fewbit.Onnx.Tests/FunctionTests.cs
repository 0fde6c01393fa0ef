using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Onnx.Protos;
using Fewbit.Tensors;
using Google.Protobuf;
using static Fewbit.Onnx.Tests.OneNodeModel;
using Kind = Fewbit.Onnx.Protos.AttributeProto.Types.AttributeType;
using Tensor = Fewbit.Tensors.Tensor;

namespace Fewbit.Onnx.Tests;

/// <summary>Model-local functions: what a call means, and functions that are written for another opset than the model.</summary>
public class FunctionTests
{
    private static readonly Tensor Input = Tensor.From<float>([.. Enumerable.Range(0, 24).Select(i => (i * 7 % 24 - 11) / 8f)], [2, 3, 4]);

    /// <summary>Nodes that changed: between opsets 11 and 13 the first, 13 and 18 the second and third, 16 and 20 the last.</summary>
    private static readonly Dictionary<string, (int Older, NodeProto OldNode, int Newer, NodeProto NewNode, TensorProto[] Constants)> Changed = new()
    {
        ["Softmax"] = (11, Node("Softmax", ["a"], Int("axis", 1)), 13, Node("Softmax", ["a"], Int("axis", 1)), []),
        ["ReduceMax"] = (13, Node("ReduceMax", ["a"], Ints("axes", 1)), 18, Node("ReduceMax", ["a", "axes"]), [Tensor("axes", 1)]),
        ["Split"] = (13, Node("Split", ["a"], Int("axis", 2)), 18, Node("Split", ["a"], Int("axis", 2), Int("num_outputs", 1)), []),
        ["Unsqueeze"] = (11, Node("Unsqueeze", ["a"], Ints("axes", 1)), 13, Node("Unsqueeze", ["a", "axes"]), [Tensor("axes", 1)]),
        ["GroupNormalization"] = (18, Node("GroupNormalization", ["a", "one", "two"], Int("num_groups", 1)), 21, Node("GroupNormalization", ["a", "ones", "twos"], Int("num_groups", 1)),
            [Tensor("one", [1], 1), Tensor("two", [1], 2), Tensor("ones", [3], 1, 1, 1), Tensor("twos", [3], 2, 2, 2)]),
    };

    public static TheoryData<string> Names => [.. Changed.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Load_FunctionOfAnOlderOpset_MeansWhatItMeantThere(string name)
    {
        var (older, node, newer, newNode, constants) = Changed[name];
        Tensor expected = Run(Plain(node, older, constants));
        Assert.Equal(expected.Bytes.ToArray(), Run(WithFunction(newer, older, node, constants)).Bytes.ToArray());
        // The model's own nodes keep their meaning beside the function's.
        ModelProto both = WithFunction(newer, older, node, constants);
        NodeProto own = newNode.Clone();
        (own.Input[0], own.Output[0], own.Name) = ("x", "z", "own");
        both.Graph.Node.Add(own);
        both.Graph.Output.Add(new ValueInfoProto { Name = "z" });
        Assert.Equal(Run(Plain(newNode, newer, constants)).Bytes.ToArray(), Run(both, 1).Bytes.ToArray());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Load_FunctionOfANewerOpset_RaisesTheModel(string name)
    {
        var (older, node, newer, newNode, constants) = Changed[name];
        ModelProto model = WithFunction(older, newer, newNode, constants);
        NodeProto own = node.Clone();
        (own.Input[0], own.Output[0], own.Name) = ("x", "z", "own");
        model.Graph.Node.Add(own);
        model.Graph.Output.Add(new ValueInfoProto { Name = "z" });
        Assert.Equal(newer, OnnxFile.Load(model.ToByteArray()).OpsetVersion(""));
        Assert.Equal(Run(Plain(newNode, newer, constants)).Bytes.ToArray(), Run(model).Bytes.ToArray());
        Assert.Equal(Run(Plain(node, older, constants)).Bytes.ToArray(), Run(model, 1).Bytes.ToArray());
    }

    [Theory]
    [InlineData(null, 0.25f)]
    [InlineData(0.5f, 0.5f)]
    public void Load_AttributeWithDefault_IsThatOfTheCallFirst(float? given, float expected)
    {
        FunctionProto function = Function(17, Node("LeakyRelu", ["a"], new AttributeProto { Name = "alpha", RefAttrName = "slope", Type = Kind.Float }));
        function.AttributeProto.Add(Real("slope", 0.25f));
        ModelProto model = Calling(17, function, []);
        if (given is { } slope) model.Graph.Node[0].Attribute.Add(Real("slope", slope));
        Assert.Equal(expected, OnnxFile.Load(model.ToByteArray()).Nodes[0].Float("alpha"));
    }

    [Fact]
    public void Load_AttributeThatNoCallGives_IsLeftOut()
    {
        FunctionProto function = Function(17, Node("LeakyRelu", ["a"], new AttributeProto { Name = "alpha", RefAttrName = "slope", Type = Kind.Float }));
        function.Attribute.Add("slope");
        Assert.Equal(0.01f, OnnxFile.Load(Calling(17, function, []).ToByteArray()).Nodes[0].Float("alpha", 0.01f));
    }

    [Fact]
    public void Load_CallInABranchOfAFunction_ReadsItsValuesAndAttributes()
    {
        FunctionProto inner = Function(17, Node("LeakyRelu", ["a"], new AttributeProto { Name = "alpha", RefAttrName = "slope", Type = Kind.Float }));
        inner.Attribute.Add("slope");
        NodeProto call = Node("F", ["a"], new AttributeProto { Name = "slope", RefAttrName = "factor", Type = Kind.Float });
        (call.Domain, call.Output[0]) = ("local", "inBranch");
        NodeProto choice = Node("If", ["flag"], Branch("then_branch", call, "inBranch"), Branch("else_branch", Node("Neg", ["a"], "negated"), "negated"));
        FunctionProto outer = Function(17, Node("Constant", [], "flag", new AttributeProto { Name = "value", Type = Kind.Tensor, T = new() { DataType = (int)ElementType.Bool, Int32Data = { 1 } } }), choice);
        outer.Name = "G";
        outer.Attribute.Add("factor");
        ModelProto model = Calling(17, outer, []);
        model.Functions.Add(inner);
        model.Graph.Node[0].Attribute.Add(Real("factor", 2));
        float[] expected = Array.ConvertAll(Input.Span<float>().ToArray(), x => x < 0 ? 2 * x : x);
        Assert.Equal(expected, Run(model).Span<float>().ToArray());
    }

    [Fact]
    public void Load_Overloads_AreTwoFunctions()
    {
        FunctionProto negating = Function(17, Node("Neg", ["a"])), keeping = Function(17, Node("Abs", ["a"]));
        keeping.Overload = "other";
        ModelProto model = Calling(17, negating, []);
        model.Functions.Add(keeping);
        model.Graph.Node[0].Overload = "other";
        Assert.Equal("Abs", Assert.Single(OnnxFile.Load(model.ToByteArray()).Nodes).OpType);
    }

    [Fact]
    public void Load_InputLeftOutAndReturned_KeepTheirPlaces()
    {
        FunctionProto function = Function(17, Node("Clip", ["a", "low", "high"]));
        function.Input.Add("low");
        function.Input.Add("high");
        function.Output.Add("a");
        ModelProto model = Calling(17, function, []);
        model.Graph.Node[0].Input.AddRange(["", "limit"]);
        model.Graph.Node[0].Output.Add("same");
        model.Graph.Initializer.Add(Tensor("limit", [], 0));
        model.Graph.Output.Add(new ValueInfoProto { Name = "same" });
        Assert.Equal(Array.ConvertAll(Input.Span<float>().ToArray(), x => Math.Min(x, 0)), Run(model).Span<float>().ToArray());
        Assert.Equal(Input.Bytes.ToArray(), Run(model, 1).Bytes.ToArray());
    }

    private static Tensor Run(ModelProto model, int output = 0)
    {
        Graph graph = OnnxFile.Load(model.ToByteArray());
        // What is read can be written and read again.
        Assert.Equal(graph.Nodes.Count, OnnxFile.Load(OnnxFile.ToBytes(graph)).Nodes.Count);
        return new Interpreter().Run(graph, new Dictionary<string, Tensor> { ["x"] = Input })[output];
    }

    private static ModelProto Plain(NodeProto node, int opset, TensorProto[] constants)
    {
        NodeProto own = node.Clone();
        (own.Input[0], own.Output[0]) = ("x", "y");
        return Of(new GraphProto { Name = "plain", Node = { own }, Initializer = { constants }, Input = { Float("x", [2, 3, 4]) }, Output = { new ValueInfoProto { Name = "y" } } }, opset);
    }

    /// <summary>A model whose one node calls a function of one node; the constants stand in both.</summary>
    private static ModelProto WithFunction(int modelOpset, int functionOpset, NodeProto node, TensorProto[] constants)
    {
        NodeProto[] held = [.. constants.Select(tensor => Node("Constant", [], tensor.Name, new AttributeProto { Name = "value", Type = Kind.Tensor, T = tensor }))];
        return Calling(modelOpset, Function(functionOpset, [.. held, node]), constants);
    }

    private static ModelProto Calling(int opset, FunctionProto function, TensorProto[] constants)
    {
        var call = new NodeProto { OpType = function.Name, Domain = "local", Name = "call", Input = { "x" }, Output = { "y" } };
        ModelProto model = Of(new GraphProto { Name = "calling", Node = { call }, Initializer = { constants }, Input = { Float("x", [2, 3, 4]) }, Output = { new ValueInfoProto { Name = "y" } } }, opset);
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "local", Version = 1 });
        model.Functions.Add(function);
        return model;
    }

    private static FunctionProto Function(int opset, params NodeProto[] nodes) => new()
    {
        Name = "F",
        Domain = "local",
        Input = { "a" },
        Output = { nodes[^1].Output[0] },
        Node = { nodes },
        OpsetImport = { new OperatorSetIdProto { Version = opset }, new OperatorSetIdProto { Domain = "local", Version = 1 } },
    };

    private static AttributeProto Branch(string name, NodeProto node, string output) =>
        new() { Name = name, Type = Kind.Graph, G = new() { Name = name, Node = { node }, Output = { new ValueInfoProto { Name = output } } } };

    private static NodeProto Node(string opType, string[] inputs, params AttributeProto[] attributes) => Node(opType, inputs, "b", attributes);

    private static NodeProto Node(string opType, string[] inputs, string output, params AttributeProto[] attributes) =>
        new() { OpType = opType, Name = opType, Input = { inputs }, Output = { output }, Attribute = { attributes } };
}
