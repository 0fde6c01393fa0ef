using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Tests.Calibration;

public sealed class CalibratorTests
{
    private static Graph Chain(out Value doubled, out Value view, out Value folded)
    {
        var graph = new Graph();
        Value x = graph.AddInput("x", ElementType.Float32, ["N", 4]);
        doubled = x * 2f;
        view = doubled.Apply("Reshape", graph.AddConstant("shape", Tensor.From(-1L)));
        folded = graph.AddConstant("a", Tensor.From(3f)) + graph.AddConstant("b", Tensor.From(4f));
        graph.AddOutput((view + 1f) * folded);
        return graph;
    }

    [Fact]
    public void Observe_InputsComputedViewsAndFolded_AreAllSeen()
    {
        Graph graph = Chain(out Value doubled, out Value view, out Value folded);
        var calibrator = new Calibrator(graph, ["x", doubled.Name, view.Name, folded.Name], RangeRule.MinMax);
        calibrator.Observe(new Dictionary<string, Tensor> { ["x"] = Tensor.From<float>([1, 2, 3, 4], [1, 4]) });
        calibrator.Observe(new Dictionary<string, Tensor> { ["x"] = Tensor.From<float>([-5, 2, 3, 4, 0, 0, 0, 1], [2, 4]) });
        Assert.Equal(3, calibrator.SampleCount);
        Assert.Equal(new ValueRange(-5, 4), calibrator.Estimators["x"].Observed);
        // The sum overwrites the memory of the product afterwards: each value is seen when it is computed.
        Assert.Equal(new ValueRange(-10, 8), calibrator.Estimators[doubled.Name].Observed);
        Assert.Equal(new ValueRange(-10, 8), calibrator.Estimators[view.Name].Observed);
        Assert.Equal(new ValueRange(7, 7), calibrator.Estimators[folded.Name].Observed);
        Assert.Equal(12, calibrator.Estimators[view.Name].Count);
    }

    [Fact]
    public async Task RunAsync_Batches_ReportsSamplesAndStopsWhenAsked()
    {
        Graph graph = Chain(out Value doubled, out _, out _);
        IReadOnlyDictionary<string, Tensor> batch = new Dictionary<string, Tensor> { ["x"] = Tensor.From<float>([1, 2, 3, 4], [1, 4]) };
        var calibrator = new Calibrator(graph, [doubled.Name], RangeRule.MinMax);
        await calibrator.RunAsync(Enumerable.Repeat(batch, 3).ToAsyncEnumerable());
        Assert.Equal(3, calibrator.SampleCount);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => calibrator.RunAsync(Enumerable.Repeat(batch, 3).ToAsyncEnumerable(), cancellation: new CancellationToken(true)));
    }
}
