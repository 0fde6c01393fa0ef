using Fewbit.Graphs.Passes;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Passes;

public sealed class CleaningPassTests
{
    [Fact]
    public void FoldConstants_Chain_BecomesOneConstant()
    {
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float32, ["N", 2]), a = graph.AddConstant("a", Tensor.From(1f, 2f));
        graph.AddOutput(x + (a + 1f) * a);
        Assert.Equal(2, new FoldConstants().Run(graph).Changes.Count);
        Node add = Assert.Single(graph.Nodes);
        Assert.Equal([2f, 6f], add.Inputs[1]!.Constant!.Span<float>().ToArray());
        Assert.Equal(2, graph.Values.Count(value => value.Constant is null));
    }

    [Fact]
    public void FoldConstants_Variable_IsLeft()
    {
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float32, [2]), a = graph.AddConstant("a", Tensor.From(1f, 2f));
        a.IsVariable = true;
        graph.AddOutput(x + (a + 1f));
        Assert.False(new FoldConstants().Run(graph).HasChanged);
    }

    [Fact]
    public void FoldConstants_Growth_IsLeftWithReason()
    {
        var graph = new Graph();
        Value row = graph.AddConstant("row", Tensor.From(1f, 2f, 3f)), column = graph.AddConstant("column", Tensor.From<float>([1, 2], [2, 1]));
        graph.AddOutput(graph.AddInput("x", ElementType.Float32, [2, 3]) + (row + column));
        PassReport report = new FoldConstants { MaxGrowth = 3 }.Run(graph);
        Assert.False(report.HasChanged);
        Assert.Equal("the constant would take 24 bytes, more than 23", Assert.Single(report.Skipped).Text);
        Assert.True(new FoldConstants().Run(graph).HasChanged);
    }

    [Fact]
    public void FoldConstants_ShapeOfSymbol_StaysAndKnownShapeFolds()
    {
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float32, ["N", 6]);
        Value known = x.Apply("Shape", new Attributes { { "start", 1 } }), open = x.Apply("Shape");
        graph.AddOutput(x.Apply("Reshape", known));
        graph.AddOutput(x.Apply("Reshape", open));
        new FoldConstants().Run(graph);
        Assert.Equal([6L], known.Constant!.Span<long>().ToArray());
        Assert.Null(open.Constant);
    }

    [Fact]
    public void RemoveDeadNodes_NoOps_AreBypassedAndNamesKept()
    {
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float32, ["N", 6]);
        Value same = x.Apply("Reshape", graph.AddConstant("shape", Tensor.From(0L, 6L)));
        Value unused = x * 3f;
        Value y = (same.Apply("Identity") + 1f).Apply("Identity");
        graph.AddOutput(y);
        string name = y.Name;
        PassReport report = new RemoveDeadNodes().Run(graph);
        Assert.Equal("Add", Assert.Single(graph.Nodes).OpType);
        Assert.Equal(name, Assert.Single(graph.Outputs).Name);
        Assert.Same(x, graph.Nodes[0].Inputs[0]);
        Assert.Contains(report.Changes, note => note.Text == "Mul removed: nothing needs it");
        Assert.DoesNotContain(unused, graph.Values);
    }

    [Fact]
    public void RemoveDeadNodes_IdentityFromInputToOutput_IsLeft()
    {
        var graph = new Graph();
        graph.AddOutput(graph.AddInput("x", ElementType.Float32, [2]).Apply("Identity"));
        PassReport report = new RemoveDeadNodes().Run(graph);
        Assert.False(report.HasChanged);
        Assert.Single(report.Skipped);
    }

    [Theory]
    [InlineData(true, new[] { "GlobalAveragePool" })]
    [InlineData(false, new[] { "GlobalAveragePool", "Flatten" })]
    public void ReplaceReduceMean_SpatialAxes_BecomesPool(bool keeps, string[] expected)
    {
        var graph = new Graph(opset: 13);
        Value x = graph.AddInput("x", ElementType.Float32, ["N", 3, 5, 7]);
        graph.AddOutput(x.Apply("ReduceMean", new Attributes { { "axes", new long[] { -1, 2 } }, { "keepdims", keeps } }));
        string name = graph.Outputs[0].Name;
        Assert.True(new ReplaceReduceMean().Run(graph).HasChanged);
        Assert.Equal(expected, graph.Nodes.Select(node => node.OpType));
        Assert.Equal(name, graph.Nodes[^1].Outputs[0].Name);
    }

    [Fact]
    public void ReplaceReduceMean_OtherAxes_IsLeftWithReason()
    {
        var graph = new Graph(opset: 13);
        graph.AddOutput(graph.AddInput("x", ElementType.Float32, ["N", 3, 5, 7]).Apply("ReduceMean", new Attributes { { "axes", new long[] { 1 } } }));
        Assert.Equal("its axes [1] are not the spatial ones", Assert.Single(new ReplaceReduceMean().Run(graph).Skipped).Text);
    }

    [Fact]
    public void ReplaceReduceMean_LayerNormalizationInNodes_IsLeftWithReason()
    {
        var graph = new Graph(opset: 13);
        Value x = graph.AddInput("x", ElementType.Float32, ["N", 5, 8]);
        Value centred = x - Mean(x);
        graph.AddOutput(centred / Mean(centred * centred).Apply("Sqrt"));
        PassReport report = new ReplaceReduceMean().Run(graph);
        Assert.False(report.HasChanged);
        Assert.All(report.Skipped, note => Assert.Equal("it is the mean or variance of a normalization", note.Text));
        Assert.Equal(2, report.Skipped.Count);

        static Value Mean(Value of) => of.Apply("ReduceMean", new Attributes { { "axes", new long[] { -1 } } });
    }
}
