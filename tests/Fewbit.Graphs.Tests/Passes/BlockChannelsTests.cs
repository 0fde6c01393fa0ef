using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Passes;
using Fewbit.Graphs.Tests.Operators;
using Fewbit.Tensors;
using Fewbit.Testing;
using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Tests.Passes;

/// <summary>Networks compute the same on blocks of channels, and reorder only where they must.</summary>
public sealed class BlockChannelsTests
{
    private const string Begin = "Reorder", End = "Reorder";

    /// <summary>Blocked convolutions are written for AVX-512; elsewhere everything stays row-major.</summary>
    private static bool HasBlocks => KernelPaths.Active >= KernelPath.Avx512;

    [Fact]
    public void Run_ChainOfConvolutions_ReordersAtBothEndsOnly() =>
        Check(x => Conv(Conv(Conv(x, 64, 3).Apply("Relu"), 40, 1), 64, 3), [Begin, "FusedConv", "FusedConv", "FusedConv", End]);

    [Fact]
    public void Run_FewInputChannels_ReadsPlanesWithoutReordering() =>
        Check(x => Conv(Conv(x, 32, 3).Apply("Relu"), 64, 3), ["FusedConv", "FusedConv", End], channels: 3);

    [Theory]
    [InlineData("Relu")]
    [InlineData("")]
    public void Run_ResidualBlock_StaysInBlocks(string activation) => Check(x =>
    {
        Value start = Activate(Conv(x, 48, 1), activation);
        return Activate(Conv(Activate(Conv(start, 48, 3), activation), 48, 3) + start, activation);
    }, [Begin, "FusedConv", "FusedConv", "FusedConv", End]);

    [Fact]
    public void Run_DepthwiseBlock_StaysInBlocks() =>
        Check(x => Conv(Clip(Conv(Clip(Conv(x, 96, 1)), 96, 3, group: 96)), 32, 1), [Begin, "FusedConv", "FusedConv", "FusedConv", End]);

    [Fact]
    public void Run_GroupsOfWholeBlocks_StayInBlocks() => Check(x => Conv(Conv(x, 64, 3, group: 2), 64, 1), [Begin, "FusedConv", "FusedConv", End], channels: 64);

    [Theory]
    [InlineData("MaxPool", 3, 2, 1)]
    [InlineData("MaxPool", 2, 1, 0)]
    [InlineData("AveragePool", 3, 2, 1)]
    [InlineData("AveragePool", 2, 2, 0)]
    public void Run_PoolBetweenConvolutions_StaysInBlocks(string pool, long kernel, long stride, long pad) => Check(x =>
    {
        var attributes = new Attributes { { "kernel_shape", new[] { kernel, kernel } }, { "strides", new[] { stride, stride } }, { "pads", new[] { pad, pad, pad, pad } } };
        return Conv(Conv(x, 40, 3).Apply(pool, attributes), 40, 3);
    }, [Begin, "FusedConv", pool, "FusedConv", End]);

    [Fact]
    public void Run_PoolCountsPadding_AsRowMajorDoes() => Check(x =>
    {
        var attributes = new Attributes { { "kernel_shape", new long[] { 3, 2 } }, { "strides", new long[] { 2, 1 } }, { "pads", new long[] { 1, 1, 0, 1 } }, { "count_include_pad", 1L }, { "ceil_mode", 1L } };
        return Conv(Conv(x, 40, 3).Apply("AveragePool", attributes), 40, 3);
    }, [Begin, "FusedConv", "AveragePool", "FusedConv", End]);

    [Theory]
    [InlineData("GlobalAveragePool")]
    [InlineData("GlobalMaxPool")]
    public void Run_GlobalPool_ReturnsToRowMajorByItself(string pool) =>
        Check(x => Conv(x, 40, 3).Apply(pool).Apply("Flatten").Apply("Gemm", x.Graph.AddConstant("fc", OneNode.Numbers(7, 40, 10))), [Begin, "FusedConv", pool, "Flatten", "Gemm"]);

    [Fact]
    public void Run_SqueezeAndExcite_StaysInBlocks() => Check(x =>
    {
        Value y = Conv(x, 40, 3).Apply("Relu");
        Value gate = Conv(Conv(y.Apply("GlobalAveragePool"), 8, 1).Apply("Relu"), 40, 1).Apply("Sigmoid");
        return Conv(y * gate, 64, 1);
    }, [Begin, "FusedConv", "GlobalAveragePool", "FusedConv", "FusedConv", "Sigmoid", Begin, "Mul", "FusedConv", End]);

    [Theory]
    [InlineData("HardSwish")]
    [InlineData("Sigmoid")]
    [InlineData("Softplus")]
    public void Run_ActivationThatIsNotFused_StaysInBlocks(string activation) =>
        Check(x => Conv(Conv(x, 40, 3).Apply(activation), 40, 3), [Begin, "FusedConv", activation, "FusedConv", End]);

    [Fact]
    public void Run_NumberAndChannelOperands_StayInBlocks() => Check(x =>
    {
        Value y = Conv(x, 40, 3) * 0.5f + x.Graph.AddConstant("shift", OneNode.Numbers(3, 40, 1, 1));
        return Conv(y - x.Graph.AddConstant("scale", OneNode.Numbers(4, 1, 40, 1, 1)), 40, 3);
    }, [Begin, "FusedConv", "Mul", Begin, "Add", Begin, "Sub", "FusedConv", End]);

    [Theory]
    [InlineData(32, 40, true)]
    [InlineData(40, 32, false)]
    public void Run_Concat_StaysInBlocksWhereTheFirstPartsAreWhole(long first, long second, bool isBlocked) => Check(x =>
    {
        Node concat = x.Graph.AddNode("Concat", [Conv(x, first, 3), Conv(x, second, 3)], new() { { "axis", 1L } });
        return Conv(concat.Outputs[0], 64, 3);
    }, isBlocked ? [Begin, "FusedConv", "FusedConv", "Concat", "FusedConv", End] : [Begin, "FusedConv", End, "FusedConv", End, "Concat", Begin, "FusedConv", End]);

    [Fact]
    public void Run_ReaderThatKnowsNoBlocks_GetsRowMajorBesideTheBlocks() => Check(x =>
    {
        Value y = Conv(x, 64, 3);
        x.Graph.AddOutput(y.Apply("Transpose", new Attributes { { "perm", new long[] { 0, 2, 3, 1 } } }));
        return Conv(y, 64, 3);
    }, [Begin, "FusedConv", End, "Transpose", "FusedConv", End]);

    [Fact]
    public void Run_OutputInsideARegion_KeepsNameAndLayout() => Check(x =>
    {
        Value y = Conv(x, 64, 3);
        x.Graph.AddOutput(y);
        return Conv(y, 64, 3);
    }, [Begin, "FusedConv", End, "FusedConv", End]);

    [Fact]
    public void Run_LittleWork_IsLeftRowMajor()
    {
        Graph graph = Network(x => Conv(x, 64, 1), 64);
        Assert.False(new BlockChannels().Run(graph).HasChanged);
        if (HasBlocks) Assert.Contains("cost more", Assert.Single(new BlockChannels().Run(graph).Skipped).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_MuchWork_IsBlocked() => Assert.Equal(HasBlocks, new BlockChannels().Run(Network(x => Conv(x, 64, 3), 64)).HasChanged);

    [Fact]
    public void Run_HalfEmptyBlocks_AreLeftRowMajor() => Assert.False(new BlockChannels().Run(Network(x => Conv(x, 24, 3), 24)).HasChanged);

    [Fact]
    public void Run_WeightThatChanges_IsPackedInEachRun()
    {
        Graph graph = Network(x => Conv(x, 64, 3), 64);
        graph.Constants.Single(value => value.Shape!.Rank == 4).IsVariable = true;
        Assert.Equal(HasBlocks, new BlockChannels().Run(graph).HasChanged);
    }

    [Fact]
    public void Run_Plan_GivesTheSameBytesOnAnyNumberOfThreads()
    {
        Graph graph = Blocked(Network(x => Conv(Conv(x, 48, 3).Apply("Relu"), 33, 1), 24));
        int before = Workers.ThreadCount;
        try
        {
            Workers.ThreadCount = 1;
            byte[] one = Outputs(graph, 24)[0].Bytes.ToArray();
            Workers.ThreadCount = 2;
            Assert.Equal(one, Outputs(graph, 24)[0].Bytes.ToArray());
        }
        finally
        {
            Workers.ThreadCount = before;
        }
    }

    [Fact]
    public void Run_ObservedAndAskedFor_ValuesAreRowMajorUnderTheirNames()
    {
        Graph graph = Network(x => Conv(Conv(x, 40, 3).Apply("Relu"), 40, 3), 24);
        string inner = graph.Nodes[1].Outputs[0].Name;
        var expected = new Dictionary<string, Tensor>();
        new Interpreter().Run(graph, new Dictionary<string, Tensor> { ["x"] = Input(24) }, (value, tensor) => expected[value.Name] = tensor.Copy());
        Graph blocked = Blocked(graph);
        Plan plan = Plan.Compile(blocked, new() { Inputs = new Dictionary<string, Shape> { ["x"] = Input(24).Shape }, Outputs = [inner, graph.Outputs[0].Name] });
        var observed = new Dictionary<string, Tensor>();
        plan.Run(new Dictionary<string, Tensor> { ["x"] = Input(24) }, (value, tensor) => observed[value.Name] = tensor.Copy());
        AssertEqual(expected[inner], observed[inner]);
        AssertEqual(expected[inner], plan.Output(inner));
    }

    [Fact]
    public void Run_Plan_AllocatesNothing()
    {
        Graph graph = Blocked(Network(x => Conv(Conv(x, 48, 3).Apply("HardSwish").Apply("MaxPool", new Attributes { { "kernel_shape", new long[] { 2, 2 } } }), 48, 1).Apply("GlobalAveragePool"), 24));
        Plan plan = Plan.Compile(graph, new() { Inputs = new Dictionary<string, Shape> { ["x"] = Input(24).Shape } });
        Assert.Equal(0, Allocations.LeastOf(() => plan.Run()));
    }

    /// <summary>Tags as the pass sets them, on a convolution that it would leave: 3 channels a group, which a blocked kernel would mostly multiply by zeros.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Compile_ConvolutionThatNoBlockedKernelTakes_IsConverted(bool hasResidual)
    {
        var graph = new Graph(opset: 20);
        Value x = graph.AddInput("x", ElementType.Float32, ["N", 24, 11, 13]);
        Value y = Conv(x, 24, 3, group: 8);
        if (hasResidual) y += x;
        graph.AddOutput(y.Apply("Relu"));
        Tensor expected = new Interpreter().Run(graph, new Dictionary<string, Tensor> { ["x"] = Input(24) })[0];
        new FuseActivation().Run(graph);
        Node conv = graph.Nodes.Single();
        conv.SetInput(0, Reordered(x));
        if (hasResidual) conv.SetInput(3, conv.Inputs[0]);
        Value output = conv.Outputs[0], made = graph.AddValue("made");
        (made.Type, made.Shape, made.Layout) = (output.Type, output.Shape, Layout.ChannelBlocks16);
        conv.ReplaceOutputAt(0, made);
        graph.InsertNode(2, Fewbit.Graphs.Operators.OperatorTable.FewbitDomain, "Reorder", "end", [made], [output], []);
        Plan plan = Plan.Compile(graph, new() { Inputs = new Dictionary<string, Shape> { ["x"] = Input(24).Shape } });
        plan.Run(new Dictionary<string, Tensor> { ["x"] = Input(24) });
        AssertEqual(expected, plan.Output(output.Name));
        Assert.Equal("BlockedConvKernel<ConvertingRoute>", plan.Profile(1).Steps.Single(step => step.OpType == "FusedConv").Kernel);
    }

    private static Value Reordered(Value value)
    {
        Value made = value.Graph.AddValue(value.Name + "/reordered");
        made.Layout = Layout.ChannelBlocks16;
        value.Graph.InsertNode(0, Fewbit.Graphs.Operators.OperatorTable.FewbitDomain, "Reorder", "begin", [value], [made], []);
        return made;
    }

    private static void Check(Func<Value, Value> build, string[] nodes, long channels = 24)
    {
        Graph graph = Network(build, channels);
        Tensor[] expected = new Interpreter().Run(graph, new Dictionary<string, Tensor> { ["x"] = Input(channels) });
        Graph blocked = Blocked(graph);
        if (HasBlocks) Assert.Equal(nodes, blocked.Nodes.Select(node => node.OpType));
        else Assert.DoesNotContain("Reorder", blocked.Nodes.Select(node => node.OpType));
        Assert.Equal(graph.Outputs.Select(output => output.Name), blocked.Outputs.Select(output => output.Name));
        Assert.All(blocked.Inputs.Concat(blocked.Outputs), value => Assert.Equal(Layout.RowMajor, value.Layout));
        Tensor[] planned = Outputs(blocked, channels), interpreted = new Interpreter().Run(blocked, new Dictionary<string, Tensor> { ["x"] = Input(channels) });
        for (int i = 0; i < expected.Length; i++)
        {
            AssertEqual(expected[i], planned[i]);
            AssertEqual(expected[i], interpreted[i]);
        }
    }

    /// <summary>As for execution, but blocked even where it does not pay: these networks are small.</summary>
    private static Graph Blocked(Graph graph)
    {
        Graph copy = graph.Clone();
        Fewbit.Graphs.Passes.Passes.Run(copy, new FoldConstants(), new FuseActivation { AllowsWinograd = true }, new BlockChannels { IgnoresCost = true });
        return copy;
    }

    private static Tensor[] Outputs(Graph graph, long channels)
    {
        Plan plan = Plan.Compile(graph, new() { Inputs = new Dictionary<string, Shape> { ["x"] = Input(channels).Shape } });
        plan.Run(new Dictionary<string, Tensor> { ["x"] = Input(channels) });
        return [.. graph.Outputs.Select(output => plan.Output(output.Name))];
    }

    private static void AssertEqual(Tensor expected, Tensor actual)
    {
        Assert.Equal(Layout.RowMajor, actual.Layout);
        Assert.Equal(expected.Shape, actual.Shape);
        // Sums of a few hundred products, by Winograd's transform too.
        float scale = expected.Span<float>().ToArray().Max(MathF.Abs);
        for (int i = 0; i < expected.ElementCount; i++) Assert.Equal(expected.Span<float>()[i], actual.Span<float>()[i], 2e-5f * scale);
    }

    private static Graph Network(Func<Value, Value> build, long channels)
    {
        var graph = new Graph(opset: 20);
        graph.AddOutput(build(graph.AddInput("x", ElementType.Float32, ["N", channels, 11, 13])));
        return graph;
    }

    private static Tensor Input(long channels) => OneNode.Numbers(9, 2, channels, 11, 13);

    private static Value Conv(Value x, long channels, long kernel, long group = 1)
    {
        long pad = kernel / 2;
        return x.Apply("Conv", new Attributes { { "pads", new[] { pad, pad, pad, pad } }, { "group", group } },
            x.Graph.AddConstant("w", OneNode.Numbers((int)channels, channels, x.Shape![1].Length / group, kernel, kernel)), x.Graph.AddConstant("b", OneNode.Numbers(5, channels)));
    }

    private static Value Clip(Value x) => x.Apply("Clip", x.Scalar(0), x.Scalar(6));

    private static Value Activate(Value x, string activation) => activation.Length == 0 ? x : x.Apply(activation);
}
