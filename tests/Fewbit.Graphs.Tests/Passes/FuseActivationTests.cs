using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Passes;
using Fewbit.Graphs.Tests.Operators;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Passes;

public sealed class FuseActivationTests
{
    [Theory]
    [InlineData("Relu")]
    [InlineData("LeakyRelu")]
    [InlineData("Clip")]
    [InlineData("Relu, Clip")]
    [InlineData("")]
    public void Run_ResidualBlock_BecomesFusedConvolutions(string activation)
    {
        var graph = new Graph(opset: 13);
        Value x = graph.AddInput("x", ElementType.Float32, ["N", 4, 6, 6]);
        Value y = Activate(Conv(Activate(Conv(x, 1), activation), 2) + x, activation);
        graph.AddOutput(y);
        string name = y.Name;
        Tensor before = Run(graph);
        Graph fused = Fewbit.Graphs.Passes.Passes.ForExecution(graph);
        Assert.Equal(["FusedConv", "FusedConv"], fused.Nodes.Select(node => node.OpType));
        Assert.Equal(name, fused.Outputs[0].Name);
        OneNode.AssertClose(Array.ConvertAll(before.Span<float>().ToArray(), value => (double)value), Run(fused));
    }

    [Fact]
    public void Run_SumOfTwoConvolutions_FusesTheLater()
    {
        var graph = new Graph(opset: 13);
        Value x = graph.AddInput("x", ElementType.Float32, ["N", 4, 6, 6]);
        graph.AddOutput(Conv(x, 1) + Conv(x, 2));
        Tensor before = Run(graph);
        Assert.Single(new FuseActivation().Run(graph).Changes);
        Assert.Equal(["Conv", "FusedConv"], graph.Nodes.Select(node => node.OpType));
        OneNode.AssertClose(Array.ConvertAll(before.Span<float>().ToArray(), value => (double)value), Run(graph));
    }

    [Fact]
    public void ForExecution_WideConvolution_IsTransformedWithinTolerance()
    {
        var graph = new Graph(opset: 13);
        Value x = graph.AddInput("x", ElementType.Float32, ["N", 64, 30, 30]);
        graph.AddOutput(x.Apply("Conv", new Attributes { { "pads", new long[] { 1, 1, 1, 1 } } }, graph.AddConstant("w", OneNode.Numbers(1, 64, 64, 3, 3)), graph.AddConstant("b", OneNode.Numbers(2, 64))).Apply("Relu"));
        Tensor input = OneNode.Numbers(3, 1, 64, 30, 30);
        Tensor expected = new Interpreter().Run(graph, new Dictionary<string, Tensor> { ["x"] = input })[0];
        Plan plan = Plan.Compile(Fewbit.Graphs.Passes.Passes.ForExecution(graph), new() { Inputs = new Dictionary<string, Shape> { ["x"] = input.Shape } });
        input.CopyTo(plan.Input("x"));
        string kernel = plan.Profile(1).Steps.Single(step => step.OpType == "FusedConv").Kernel;
        Assert.Equal(Fewbit.Tensors.Kernels.KernelPaths.Active >= Fewbit.Tensors.Kernels.KernelPath.Avx512 ? "BlockedConvKernel<WinogradRoute>" : "PlanarConvKernel", kernel);
        // The transform errs by about 5e-6 of the largest sum, which is near 40 here.
        for (int i = 0; i < expected.ElementCount; i++) Assert.Equal(expected.Span<float>()[i], plan.Output(graph.Outputs[0].Name).Span<float>()[i], 1e-3f);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    public void Compile_BytesForWinograd_AreSpentInTheOrderOfTheGraph(long convolutions, int transformed)
    {
        if (Fewbit.Tensors.Kernels.KernelPaths.Active < Fewbit.Tensors.Kernels.KernelPath.Avx512) return;
        var graph = new Graph(opset: 13);
        Value x = graph.AddInput("x", ElementType.Float32, ["N", 64, 32, 32]);
        for (int i = 0; i < 2; i++) x = x.Apply("Conv", new Attributes { { "pads", new long[] { 1, 1, 1, 1 } } }, graph.AddConstant("w", OneNode.Numbers(i, 64, 64, 3, 3)));
        graph.AddOutput(x);
        // 36 products for a tile of 4x4 outputs.
        var limits = new ExecutionLimits { WinogradBytes = convolutions * 36 * 64 * 64 * sizeof(float) };
        Plan plan = Plan.Compile(Fewbit.Graphs.Passes.Passes.ForExecution(graph), new() { Inputs = new Dictionary<string, Shape> { ["x"] = [1, 64, 32, 32] }, Limits = limits });
        string[] kernels = [.. plan.Profile(1).Steps.Where(step => step.OpType == "FusedConv").Select(step => step.Kernel)];
        Assert.Equal(Enumerable.Range(0, 2).Select(i => i < transformed ? "BlockedConvKernel<WinogradRoute>" : "BlockedConvKernel<DirectRoute>"), kernels);
    }

    [Fact]
    public void Run_BroadcastAddend_IsNotTakenAsResidual()
    {
        var graph = new Graph(opset: 13);
        Value x = graph.AddInput("x", ElementType.Float32, ["N", 4, 6, 6]);
        graph.AddOutput(Conv(x, 1) + graph.AddInput("r", ElementType.Float32, [1, 4, 1, 1]));
        Assert.False(new FuseActivation().Run(graph).HasChanged);
    }

    private static Value Conv(Value x, int seed) => x.Apply("Conv", new Attributes { { "pads", new long[] { 1, 1, 1, 1 } } },
        x.Graph.AddConstant("w", OneNode.Numbers(seed, 4, 4, 3, 3)), x.Graph.AddConstant("b", OneNode.Numbers(seed + 10, 4)));

    private static Value Activate(Value x, string activation) => activation switch
    {
        "" => x,
        "Relu, Clip" => Activate(Activate(x, "Relu"), "Clip"),
        "Clip" => x.Apply("Clip", x.Scalar(-0.25), x.Scalar(0.75)),
        _ => x.Apply(activation),
    };

    private static Tensor Run(Graph graph) => new Interpreter().Run(graph, new Dictionary<string, Tensor> { ["x"] = OneNode.Numbers(9, 2, 4, 6, 6) })[0];
}
