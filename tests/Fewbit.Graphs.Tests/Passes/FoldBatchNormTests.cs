using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Passes;
using Fewbit.Graphs.Tests.Operators;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Passes;

public sealed class FoldBatchNormTests
{
    [Theory]
    [InlineData("Conv", new long[] { 6, 2, 3, 3 }, 6, false)]
    [InlineData("Conv", new long[] { 6, 2, 3, 3 }, 6, true)]
    [InlineData("ConvTranspose", new long[] { 4, 3, 3, 3 }, 6, true)]
    public void Run_Convolution_KeepsOutputsAndNames(string opType, long[] weight, int channels, bool hasBias)
    {
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float32, ["N", 4, 7, 7]), w = graph.AddConstant("w", OneNode.Numbers(1, weight));
        Value? bias = hasBias ? graph.AddConstant("b", OneNode.Numbers(2, channels)) : null;
        Value y = Normalize(x.Apply(opType, new Attributes { { "group", 2 } }, w, bias), channels);
        graph.AddOutput(y);
        string name = y.Name;
        Tensor before = Run(graph);
        PassReport report = new FoldBatchNorm().Run(graph);
        Assert.Single(report.Changes);
        Assert.Equal(opType, Assert.Single(graph.Nodes).OpType);
        Assert.Equal(name, Assert.Single(graph.Outputs).Name);
        OneNode.AssertClose(Array.ConvertAll(before.Span<float>().ToArray(), value => (double)value), Run(graph));
        Assert.Equal("w", graph.Nodes[0].Inputs[1]!.Name);
        FoldedBatchNorm folded = Assert.IsType<FoldedBatchNorm>(graph.Nodes[0].Inputs[1]!.FoldedBatchNorm);
        Assert.Equal(OneNode.Numbers(1, weight).Span<float>().ToArray(), folded.Weight.Span<float>().ToArray());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Run_Gemm_KeepsOutputs(bool transposeB)
    {
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float32, ["N", 5]), w = graph.AddConstant("w", OneNode.Numbers(1, transposeB ? [3, 5] : [5, 3]));
        graph.AddOutput(Normalize(x.Apply("Gemm", new Attributes { { "transB", transposeB } }, w, graph.AddConstant("b", OneNode.Numbers(2, 3))), 3));
        Tensor before = Run(graph);
        Assert.True(new FoldBatchNorm().Run(graph).HasChanged);
        OneNode.AssertClose(Array.ConvertAll(before.Span<float>().ToArray(), value => (double)value), Run(graph));
    }

    [Fact]
    public void Run_ConvolutionReadTwice_IsLeftWithReason()
    {
        var graph = new Graph();
        Value conv = graph.AddInput("x", ElementType.Float32, ["N", 4, 7, 7]).Apply("Conv", graph.AddConstant("w", OneNode.Numbers(1, 6, 4, 1, 1)));
        graph.AddOutput(Normalize(conv, 6));
        graph.AddOutput(conv);
        PassReport report = new FoldBatchNorm().Run(graph);
        Assert.False(report.HasChanged);
        Assert.Equal("the output of Conv 'Conv' is read elsewhere too", Assert.Single(report.Skipped).Text);
    }

    [Fact]
    public void Run_SharedWeight_GivesEachConvolutionItsOwn()
    {
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float32, ["N", 4, 7, 7]), w = graph.AddConstant("w", OneNode.Numbers(1, 4, 4, 1, 1));
        graph.AddOutput(Normalize(Normalize(x.Apply("Conv", w), 4).Apply("Conv", w), 4));
        Tensor before = Run(graph);
        new FoldBatchNorm().Run(graph);
        Assert.Equal(2, graph.Nodes.Count);
        OneNode.AssertClose(Array.ConvertAll(before.Span<float>().ToArray(), value => (double)value), Run(graph));
    }

    private static Value Normalize(Value x, int channels)
    {
        Value Constant(string name, int seed, float shift)
        {
            Tensor tensor = OneNode.Numbers(seed, channels);
            foreach (ref float value in tensor.Span<float>()) value += shift;
            return x.Graph.AddConstant(name, tensor);
        }
        return x.Apply("BatchNormalization", Constant("scale", 11, 0), Constant("beta", 12, 0), Constant("mean", 13, 0), Constant("variance", 14, 1.5f));
    }

    private static Tensor Run(Graph graph)
    {
        long[] shape = [2, .. graph.Inputs[0].Shape!.Dims[1..].ToArray().Select(dim => dim.Length)];
        return new Interpreter().Run(graph, new Dictionary<string, Tensor> { ["x"] = OneNode.Numbers(9, shape) })[0];
    }
}
