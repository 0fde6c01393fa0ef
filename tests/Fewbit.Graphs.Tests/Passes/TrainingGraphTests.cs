using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Passes;
using Fewbit.Graphs.Tests.Operators;
using Fewbit.Tensors;
using Fewbit.Testing;
using Fewbit.Tensors.Kernels;
using Pipeline = Fewbit.Graphs.Passes.Passes;

namespace Fewbit.Graphs.Tests.Passes;

/// <summary>A prepared training step computes what the plain graph computes, in blocks of channels, and allocates nothing.</summary>
public sealed class TrainingGraphTests
{
    private const int Images = 3;

    public static TheoryData<string> Networks => ["residual", "depthwise", "pools", "shortcut"];

    [Theory]
    [MemberData(nameof(Networks))]
    public void PrepareForTraining_EqualsThePlainGraph(string network)
    {
        (Graph plain, Dictionary<string, string> updates) = Step(network, Images);
        (Graph prepared, _) = Step(network, Images);
        Pipeline.PrepareForTraining(prepared, updates.Values);
        (Graph blocked, _) = Step(network, "N");
        Pipeline.Run(blocked, new FoldConstants(), new FuseActivation { AllowsWinograd = true }, new FuseGradients { AllowsWinograd = true }, new BlockChannels { IgnoresCost = true });
        (float[] expected, float[] found, float[] foundBlocked) = (Train(plain, updates), Train(prepared, updates), Train(blocked, updates));
        double size = expected.Max(MathF.Abs);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(Math.Abs(expected[i] - found[i]) <= 1e-4 * size, $"element {i}: {found[i]}, expected {expected[i]}");
            Assert.True(Math.Abs(expected[i] - foundBlocked[i]) <= 1e-4 * size, $"element {i} on blocks: {foundBlocked[i]}, expected {expected[i]}");
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void PrepareForTraining_ResidualNetwork_StaysInBlocksFromTheFirstConvolutionToTheGlobalPool(bool hasFixedBatch)
    {
        if (KernelPaths.Active < KernelPath.Avx512) return;
        (Graph graph, Dictionary<string, string> updates) = Step("residual", hasFixedBatch ? Images : "N");
        Pipeline.Run(graph, new FoldConstants(), new RemoveDeadNodesBut(updates), new FuseActivation { AllowsWinograd = true }, new FuseGradients { AllowsWinograd = true }, new BlockChannels { IgnoresCost = true });
        string[] types = [.. graph.Nodes.Select(node => node.OpType)];
        // Where the pool's gradient enters.
        Assert.Equal(1, types.Count(type => type == "Reorder"));
        Assert.DoesNotContain("Relu", types);
        Assert.DoesNotContain("Add", types.SkipWhile(type => type != "BatchNormalizationGradient"));
    }

    [Theory]
    [MemberData(nameof(Networks))]
    public void PrepareForTraining_FusedGradients_NameTheirForwardNode(string network)
    {
        (Graph graph, Dictionary<string, string> updates) = Step(network, Images);
        Pipeline.PrepareForTraining(graph, updates.Values);
        Node[] gradients = [.. graph.Nodes.Where(node => node.OpType.Contains("Backward", StringComparison.Ordinal) || node.OpType.EndsWith("Gradient", StringComparison.Ordinal))];
        Assert.NotEmpty(gradients);
        Assert.All(gradients, node => Assert.NotNull(node.GradientOf));
    }

    [Theory]
    [InlineData("Sigmoid", false)]
    [InlineData("Add", false)]
    [InlineData("Relu", true)]
    [InlineData("Mul", true)]
    public void PowerLoss_ChannelsThatDoNotFillABlock_CountsNothingElse(string function, bool isBlocked)
    {
        (double plain, _) = Run(blocks: false);
        (double found, int losses) = Run(blocks: true);
        Assert.Equal(plain, found, 1e-5 * plain);
        if (KernelPaths.Active >= KernelPath.Avx512) Assert.Equal(isBlocked ? 2 : 0, losses);

        (double Loss, int BlockedLosses) Run(bool blocks)
        {
            var graph = new Graph(opset: 20);
            Value x = graph.AddInput("x", ElementType.Float32, [1, 16, 8, 8]), y = new Layers(graph).Conv(x, 20, 3);
            y = function switch { "Add" => y + 3f, "Mul" => (y + 3f) * y.Relu(), _ => y.Apply(function) };
            Value loss = y.Apply("ai.fewbit", "PowerLoss", null, graph.AddConstant("target", OneNode.Numbers(2, 1, 20, 8, 8)));
            Value gradient = Gradients.Of(loss, [y])[0];
            graph.AddOutput(loss);
            graph.AddOutput(gradient.SumToShapeOf(graph.AddConstant("scalar", Tensor.Scalar(0f))));
            if (blocks) Pipeline.Run(graph, new BlockChannels { IgnoresCost = true });
            Plan plan = Plan.Compile(graph, new() { Inputs = new Dictionary<string, Shape> { ["x"] = [1, 16, 8, 8] } });
            plan.Run(new Dictionary<string, Tensor> { ["x"] = OneNode.Numbers(1, 1, 16, 8, 8) });
            return (plan.Output(graph.Outputs[0].Name).Item<float>(), graph.Nodes.Count(node => node.OpType.StartsWith("PowerLoss", StringComparison.Ordinal) && node.Inputs[0]!.Layout == Layout.ChannelBlocks16));
        }
    }

    [Theory]
    [MemberData(nameof(Networks))]
    public void Run_AfterWarmUp_AllocatesNothing(string network)
    {
        (Graph graph, Dictionary<string, string> updates) = Step(network, Images);
        Pipeline.PrepareForTraining(graph, updates.Values);
        Plan plan = Compile(graph, updates);
        Feed(plan);
        Assert.Equal(0, Allocations.LeastOf(() => plan.Run()));
    }

    private sealed class RemoveDeadNodesBut(Dictionary<string, string> updates) : IPass
    {
        public string Name => "remove dead nodes";

        public PassReport Run(Graph graph)
        {
            foreach (string name in updates.Values) graph.AddOutput(graph.Find(name)!);
            return new RemoveDeadNodes().Run(graph);
        }
    }

    /// <summary>Loss, learned parameters and running statistics after three steps.</summary>
    private static float[] Train(Graph graph, Dictionary<string, string> updates)
    {
        // Each graph learns on tensors of its own.
        foreach (Value value in updates.Keys.Select(name => graph.Find(name)!)) value.SetConstant(value.Constant!.Copy());
        Plan plan = Compile(graph, updates);
        Feed(plan);
        for (int i = 0; i < 3; i++) plan.Run();
        return [plan.Output(graph.Outputs[0].Name).Item<float>(), .. updates.Keys.Order(StringComparer.Ordinal).SelectMany(name => graph.Find(name)!.Constant!.Span<float>().ToArray())];
    }

    private static Plan Compile(Graph graph, Dictionary<string, string> updates) =>
        Plan.Compile(graph, new() { Inputs = new Dictionary<string, Shape> { ["x"] = [Images, 3, 16, 16], ["rate"] = [] }, Outputs = [graph.Outputs[0].Name], Updates = updates });

    private static void Feed(Plan plan)
    {
        OneNode.Numbers(1, Images, 3, 16, 16).CopyTo(plan.Input("x"));
        Tensor.Scalar(0.02f).CopyTo(plan.Input("rate"));
    }

    private static (Graph Graph, Dictionary<string, string> Updates) Step(string network, Dim images)
    {
        var graph = new Graph(opset: 20);
        Value x = graph.AddInput("x", ElementType.Float32, [images, 3, 16, 16]), rate = graph.AddInput("rate", ElementType.Float32, []);
        var layers = new Layers(graph);
        Value y = network switch
        {
            "residual" => layers.Residual(layers.Residual(layers.Norm(layers.Conv(x, 16, 3)).Relu(), 16, 1), 32, 2),
            "depthwise" => layers.Norm(layers.Conv(layers.Norm(layers.Conv(layers.Norm(layers.Conv(x, 24, 3, 2)).Relu6(), 24, 3, 1, 24)).Relu6(), 40, 1)),
            "pools" => layers.Conv(layers.Conv(layers.Norm(layers.Conv(x, 20, 3)).Relu().MaxPool(3, 2, 1), 32, 3).Apply("AveragePool", new Attributes { { "kernel_shape", new long[] { 2, 2 } }, { "strides", new long[] { 2, 2 } } }), 16, 3).Relu(),
            _ => layers.Shortcut(layers.Norm(layers.Conv(x, 16, 3)).Relu(), 32),
        };
        Value scores = y.GlobalAveragePool().Flatten().Apply("Gemm", layers.Weight(y.Shape![1].Length, 5));
        var norms = new TrainBatchNorm();
        norms.Run(graph);
        var updates = new Dictionary<string, string>(norms.Updates);
        Value loss = (scores * scores).SumToShapeOf(graph.AddConstant("scalar", Tensor.Scalar(0f))) * 0.001f;
        Value[] gradients = Gradients.Of(loss, layers.Learned);
        foreach ((Value parameter, Value gradient) in layers.Learned.Zip(gradients))
        {
            Value velocity = graph.AddConstant("velocity", Tensor.Allocate(ElementType.Float32, parameter.Constant!.Shape));
            velocity.IsVariable = true;
            Node sgd = graph.InsertNode(graph.Nodes.Count, "ai.fewbit", "SgdUpdate", [parameter, velocity, gradient, rate], new() { { "momentum", 0.9f } }, 2);
            (updates[parameter.Name], updates[velocity.Name]) = (sgd.Outputs[0].Name, sgd.Outputs[1].Name);
        }
        graph.AddOutput(loss);
        return (graph, updates);
    }

    /// <summary>Layers with random weights, kept in a list.</summary>
    private sealed class Layers(Graph graph)
    {
        public List<Value> Learned { get; } = [];

        public Value Weight(params long[] shape)
        {
            Value weight = graph.AddConstant("weight", OneNode.Numbers(Learned.Count + 1, shape));
            weight.IsVariable = true;
            Learned.Add(weight);
            return weight;
        }

        public Value Conv(Value x, int channels, int kernel, int stride = 1, int groups = 1) => x.Apply("Conv", new Attributes
        {
            { "pads", new long[] { kernel / 2, kernel / 2, kernel / 2, kernel / 2 } }, { "strides", new long[] { stride, stride } }, { "group", groups },
        }, Weight(channels, x.Shape![1].Length / groups, kernel, kernel));

        public Value Norm(Value x)
        {
            long channels = x.Shape![1].Length;
            Tensor ones = Tensor.Allocate(ElementType.Float32, [channels]);
            ones.Span<float>().Fill(1);
            return x.Apply("BatchNormalization", Weight(channels), Weight(channels), graph.AddConstant("mean", Tensor.Allocate(ElementType.Float32, [channels])), graph.AddConstant("variance", ones));
        }

        public Value Residual(Value x, int channels, int stride)
        {
            Value y = Norm(Conv(Norm(Conv(x, channels, 3, stride)).Relu(), channels, 3));
            return (y + (stride == 1 ? x : Norm(Conv(x, channels, 1, stride)))).Relu();
        }

        /// <summary>The shortcut without parameters of CIFAR networks.</summary>
        public Value Shortcut(Value x, int channels)
        {
            long added = (channels - x.Shape![1].Length) / 2;
            Value y = Norm(Conv(Norm(Conv(x, channels, 3, 2)).Relu(), channels, 3));
            return (y + x.Slice(2, 0, step: 2).Slice(3, 0, step: 2).Pad([0, added, 0, 0], [0, added, 0, 0])).Relu();
        }
    }
}
