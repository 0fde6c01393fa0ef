using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Tests.Operators;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Passes;

/// <summary>Groups of nodes that transformers are written in become one node each, and compute the same.</summary>
public sealed class FuseTransformerTests
{
    private const int Tokens = 29, Width = 24, Heads = 3;

    [Theory]
    [InlineData("Pow, Div")]
    [InlineData("Mul, Reciprocal")]
    [InlineData("Mul, 1 / Sqrt")]
    public void ForExecution_WrittenOutNormalization_BecomesOneNode(string form)
    {
        AssertFuses(["LayerNormalization"], x => Normalize(x - Mean(x), form) * Vector(x, 1) + Vector(x, 2));
        AssertFuses(["RMSNormalization"], x => Vector(x, 1) * Normalize(x, form));
        AssertFuses(["LayerNormalization"], x => Vector(x, 1) * Normalize(x - Mean(x), form));
    }

    [Fact]
    public void ForExecution_NormalizationOfAnotherDimension_Stays()
    {
        Graph fused = Fewbit.Graphs.Passes.Passes.ForExecution(Build(x =>
        {
            Value centred = x - Mean(x, axis: 1);
            return centred / (Mean(centred * centred, axis: 1) + 1e-5f).Apply("Sqrt") * Vector(x, 1);
        }));
        Assert.DoesNotContain(fused.Nodes, node => node.OpType.EndsWith("Normalization", StringComparison.Ordinal));
    }

    [Fact]
    public void ForExecution_WrittenOutGelu_BecomesOneNode()
    {
        AssertFuses(["Gelu"], x => x * ((x / 1.41421354f).Apply("Erf") + 1f) * 0.5f);
        AssertFuses(["Gelu"], x => x * 0.5f * ((x * 0.70710677f).Apply("Erf") + 1f));
        AssertFuses(["Gelu"], x => ((x / 1.41421354f).Apply("Erf") + 1f) * (x * 0.5f));
        AssertFuses(["Gelu"], x => x * 0.5f * (((x + x.Apply("Pow", x.Scalar(3)) * 0.044715f) * 0.7978846f).Apply("Tanh") + 1f));
        AssertFuses(["Gelu"], x => (((x + x * x * x * 0.044715f) * 0.7978846f).Apply("Tanh") + 1f) * x * 0.5f);
        AssertFuses(["Swish"], x => x * x.Apply("Sigmoid"));
        AssertFuses(["Swish"], x => x * (x * 1.702f).Apply("Sigmoid"));
    }

    [Fact]
    public void ForExecution_AlmostGelu_Stays()
    {
        Graph fused = Fewbit.Graphs.Passes.Passes.ForExecution(Build(x => x * ((x / 1.5f).Apply("Erf") + 1f) * 0.5f));
        Assert.DoesNotContain(fused.Nodes, node => node.OpType == "Gelu");
    }

    [Theory]
    [InlineData("")]
    [InlineData("Relu")]
    [InlineData("LeakyRelu")]
    [InlineData("Gelu")]
    [InlineData("TanhGelu")]
    [InlineData("Swish")]
    public void ForExecution_ProductBiasResidualActivation_BecomesOneNode(string activation)
    {
        AssertFuses(["FusedMatMul"], x => Activate(x.Apply("MatMul", Matrix(x, 1)) + Vector(x, 2) + x, activation));
        AssertFuses(["FusedMatMul"], x => Activate(x + (Vector(x, 2) + x.Apply("MatMul", Matrix(x, 1))), activation));
        AssertFuses(["FusedMatMul"], x => Activate(x.Apply("MatMul", Matrix(x, 1)) + x, activation));
        AssertFuses(["Reshape", "FusedMatMul"], x => Activate(x.Apply("Reshape", Ints(x, Tokens, Width)).Apply("Gemm", new Attributes { { "alpha", 0.5f }, { "transB", 1 } }, Matrix(x, 1), Vector(x, 2)) + Vector(x, 3).Apply("Expand", Ints(x, Tokens, Width)), activation));
    }

    [Fact]
    public void ForExecution_LongProductOntoItsResidual_AddsItOnce() =>
        AssertFuses(["FusedMatMul", "FusedMatMul"], x => x.Apply("MatMul", x.Graph.AddConstant("wide", OneNode.Numbers(1, Width, 800))).Apply("Relu").Apply("MatMul", x.Graph.AddConstant("narrow", OneNode.Numbers(2, 800, Width))) + x);

    [Fact]
    public void ForExecution_ProductReadTwice_KeepsItsNodes()
    {
        Graph fused = Fewbit.Graphs.Passes.Passes.ForExecution(Build(x =>
        {
            Value product = x.Apply("MatMul", Matrix(x, 1));
            return product.Apply("Relu") + product;
        }));
        Assert.Contains(fused.Nodes, node => node.OpType == "MatMul");
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    public void ForExecution_WrittenOutAttention_BecomesAttentionOnRows(bool scalesQuery, bool hasMask) => AssertFuses(["FusedMatMul", "FusedMatMul", "FusedMatMul", "Attention"], x =>
    {
        Value q = Split(Project(x, 1)), k = Project(x, 2).Apply("Reshape", Ints(x, 1, Tokens, Heads, Width / Heads)).Apply("Transpose", Order(0, 2, 3, 1)), v = Split(Project(x, 3));
        Value scores = scalesQuery ? (q * 0.35f).Apply("MatMul", k) : q.Apply("MatMul", k) / 2.8f;
        if (hasMask) scores = x.Graph.AddConstant("mask", OneNode.Numbers(9, 1, 1, Tokens, Tokens)) + scores;
        return scores.Apply("Softmax").Apply("MatMul", v).Apply("Transpose", Order(0, 2, 1, 3)).Apply("Reshape", Ints(x, 1, Tokens, Width));
    });

    [Fact]
    public void ForExecution_AttentionOfSplitHeads_BecomesAttentionOnHeads() => AssertFuses(["Transpose", "Add", "Attention"], x =>
    {
        Value heads = x.Apply("Reshape", Ints(x, 1, Tokens, Heads, Width / Heads)).Apply("Transpose", Order(0, 2, 1, 3)), query = heads + x.Scalar(0.25);
        return query.Apply("MatMul", heads.Apply("Transpose", Order(0, 1, 3, 2))).Apply("Softmax").Apply("MatMul", heads);
    }, aliases: ["Reshape"]);

    [Fact]
    public void ForExecution_MaskThatHidesLaterKeys_IsCausal()
    {
        Tensor mask = Tensor.Allocate(ElementType.Float32, [Tokens, Tokens]);
        for (int i = 0; i < Tokens; i++) mask.Span<float>().Slice(i * Tokens + i + 1, Tokens - i - 1).Fill(-1e4f);
        Value Attend(Value x)
        {
            Value heads = Split(Project(x, 1)), scores = heads.Apply("MatMul", heads.Apply("Transpose", Order(0, 1, 3, 2))) * 0.35f + x.Graph.AddConstant("mask", mask);
            return scores.Apply("Softmax").Apply("MatMul", heads).Apply("Transpose", Order(0, 2, 1, 3)).Apply("Reshape", Ints(x, 1, Tokens, Width));
        }
        AssertFuses(["FusedMatMul", "Attention"], Attend);
        Node attention = Fewbit.Graphs.Passes.Passes.ForExecution(Build(Attend)).Nodes.Single(node => node.OpType == "Attention");
        Assert.Equal((1, null), (attention.Int("is_causal"), attention.Input(3)));
    }

    [Fact]
    public void Run_LongAttention_EqualsTheNodesWithAndWithoutMask()
    {
        foreach (bool isCausal in (bool[])[false, true])
        {
            Tensor[] operands = [OneNode.Numbers(1, 2, 4, 150, 40), OneNode.Numbers(2, 2, 2, 900, 40), OneNode.Numbers(3, 2, 2, 900, 20)];
            Tensor[] wide = Array.ConvertAll(operands, tensor => Tensor.From<double>(Array.ConvertAll(tensor.Span<float>().ToArray(), value => (double)value), tensor.Shape));
            var attributes = new Attributes { { "is_causal", isCausal } };
            Tensor actual = OneNode.RunAll("Attention", attributes, operands, constantsFrom: 3)[0], expected = OneNode.RunAll("Attention", attributes, wide, constantsFrom: 3)[0];
            OneNode.AssertClose(expected.Span<double>(), actual);
        }
    }

    private static void AssertFuses(string[] expected, Func<Value, Value> build, string[]? aliases = null)
    {
        Graph graph = Build(build), fused = Fewbit.Graphs.Passes.Passes.ForExecution(graph);
        Assert.Equal(expected.Order(), fused.Nodes.Select(node => node.OpType).Where(type => aliases?.Contains(type) != true).Order());
        Tensor x = OneNode.Numbers(7, 1, Tokens, Width);
        Tensor before = new Interpreter().Run(graph, new Dictionary<string, Tensor> { ["x"] = x })[0];
        Plan plan = Plan.Compile(fused, new() { Inputs = new Dictionary<string, Shape> { ["x"] = x.Shape } });
        x.CopyTo(plan.Input("x"));
        for (int run = 0; run < 3; run++) plan.Run();
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        plan.Run();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - allocated);
        OneNode.AssertClose(Array.ConvertAll(before.Span<float>().ToArray(), value => (double)value), plan.Output(graph.Outputs[0].Name), 2e-5);
    }

    private static Graph Build(Func<Value, Value> build)
    {
        var graph = new Graph(opset: 13);
        graph.AddOutput(build(graph.AddInput("x", ElementType.Float32, [1, Tokens, Width])));
        return graph;
    }

    private static Value Mean(Value x, long axis = -1) => x.Apply("ReduceMean", new Attributes { { "axes", new long[] { axis } } });

    private static Value Normalize(Value d, string form)
    {
        Value deviation = (Mean(form.StartsWith("Pow", StringComparison.Ordinal) ? d.Apply("Pow", d.Scalar(2)) : d * d) + 1e-5f).Apply("Sqrt");
        return form switch
        {
            "Pow, Div" => d / deviation,
            "Mul, Reciprocal" => d * deviation.Apply("Reciprocal"),
            _ => d * (d.Scalar(1) / deviation),
        };
    }

    private static Value Activate(Value x, string activation) => activation switch
    {
        "" => x,
        "Gelu" => x * ((x / 1.41421354f).Apply("Erf") + 1f) * 0.5f,
        "TanhGelu" => x * 0.5f * (((x + x * x * x * 0.044715f) * 0.7978846f).Apply("Tanh") + 1f),
        "Swish" => x * x.Apply("Sigmoid"),
        _ => x.Apply(activation),
    };

    private static Value Project(Value x, int seed) => x.Apply("MatMul", Matrix(x, seed)) + Vector(x, seed);

    private static Value Split(Value rows) => rows.Apply("Reshape", Ints(rows, 1, Tokens, Heads, Width / Heads)).Apply("Transpose", Order(0, 2, 1, 3));

    private static Attributes Order(params long[] order) => new() { { "perm", order } };

    private static Value Matrix(Value x, int seed) => x.Graph.AddConstant("w", OneNode.Numbers(seed, Width, Width));

    private static Value Vector(Value x, int seed) => x.Graph.AddConstant("v", OneNode.Numbers(seed + 20, Width));

    private static Value Ints(Value x, params long[] numbers) => x.Graph.AddConstant("ints", Tensor.From<long>(numbers));
}
