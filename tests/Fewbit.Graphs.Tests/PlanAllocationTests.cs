using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Tests.Operators;
using Fewbit.Tensors;
using Fewbit.Testing;

namespace Fewbit.Graphs.Tests;

public sealed class PlanAllocationTests
{
    [Fact]
    public void Run_ConvolutionalNetwork_AllocatesNothingAfterWarmUp()
    {
        Plan plan = Compile(Network());
        Assert.Equal(0, Allocations.LeastOf(() => plan.Run()));
    }

    [Fact]
    public void Run_TopKAndEinsum_AllocateNothingAfterWarmUp()
    {
        var graph = new Graph(opset: 13);
        Value x = graph.AddInput("x", ElementType.Float32, [2, 3, 12, 12]);
        graph.AddOutput(x.Apply("Einsum", new Attributes { { "equation", "nchw,nciw->nhi" } }, x));
        foreach (Value output in graph.AddNode("TopK", [x, graph.AddConstant("k", Tensor.From(5L))], outputs: 2).Outputs) graph.AddOutput(output);
        Plan plan = Compile(graph);
        Assert.Equal(0, Allocations.LeastOf(() => plan.Run()));
    }

    [Fact]
    public void Profile_ConvolutionalNetwork_ListsStepsWithMultiplyAdds()
    {
        PlanProfile profile = Compile(Network()).Profile(3);
        Assert.Equal(["FusedConv", "MaxPool", "FusedConv", "GlobalAveragePool", "Gemm"], profile.Steps.Select(step => step.OpType).Where(type => type != "Flatten"));
        Assert.Equal(2L * 8 * 12 * 12 * 27, profile.Steps[0].MultiplyAdds);
        Assert.Equal(2L * 8 * 5, profile.Steps[^1].MultiplyAdds);
        Assert.Contains("FusedConv", profile.ToTable(), StringComparison.Ordinal);
    }

    private static Plan Compile(Graph graph) => Plan.Compile(graph, new() { Inputs = new Dictionary<string, Shape> { ["x"] = [2, 3, 12, 12] } });

    private static Graph Network()
    {
        var graph = new Graph(opset: 13);
        Value x = graph.AddInput("x", ElementType.Float32, ["N", 3, 12, 12]);
        Value Conv(Value input, int seed, long channels) => input.Apply("Conv", new Attributes { { "pads", new long[] { 1, 1, 1, 1 } } }, graph.AddConstant("w", OneNode.Numbers(seed, 8, channels, 3, 3))).Apply("Relu");
        Value pooled = Conv(x, 1, 3).Apply("MaxPool", new Attributes { { "kernel_shape", new long[] { 2, 2 } }, { "strides", new long[] { 2, 2 } } });
        Value mean = Conv(pooled, 2, 8).Apply("GlobalAveragePool").Apply("Flatten");
        graph.AddOutput(mean.Apply("Gemm", graph.AddConstant("fc", OneNode.Numbers(3, 8, 5)), graph.AddConstant("b", OneNode.Numbers(4, 5))));
        return Fewbit.Graphs.Passes.Passes.ForExecution(graph);
    }
}
