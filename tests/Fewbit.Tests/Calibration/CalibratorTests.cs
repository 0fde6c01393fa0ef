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

    /// <summary>Channels in blocks, of which 12 and 40 fill the last one only in part; a residual sum whose operand is observed; a network that is run fused.</summary>
    [Fact]
    public void Observe_FusedNetwork_SeesEveryElementOnce()
    {
        Graph graph = Quantization.SmallGraphs.Create(out Value x, "N", 3, 16, 16);
        Value first = Quantization.SmallGraphs.Conv(x, "first", 40).Relu(), second = Quantization.SmallGraphs.Conv(first, "second", 40, seed: 5);
        Value sum = (first + second).Relu(), last = Quantization.SmallGraphs.Conv(sum, "last", 12, seed: 9);
        graph.AddOutput(last);
        string[] names = [.. new[] { first, second, sum, last }.Select(value => value.Name)];
        var batch = new Dictionary<string, Tensor> { ["input"] = Quantization.SmallGraphs.Random([3, 3, 16, 16], 7) };
        var calibrator = new Calibrator(graph, names, RangeRule.Percentile(100));
        calibrator.Observe(batch);
        var plain = new ObservingRunner(graph);
        plain.Run(batch, (value, tensor) =>
        {
            if (!names.Contains(value.Name)) return;
            RangeEstimator seen = calibrator.Estimators[value.Name];
            float[] elements = tensor.Span<float>().ToArray();
            Assert.Equal(elements.Length, seen.Count);
            Assert.Equal(elements.Min(), seen.Observed.Min, 1e-4f);
            Assert.Equal(elements.Max(), seen.Observed.Max, 1e-4f);
            // Zeros that only fill up blocks would be counted here.
            Assert.Equal((double)elements.Count(value => value > 0.1f) / elements.Length, seen.ShareOutside(new(float.MinValue, 0.1f))!.Value, 1e-3);
        });
    }
}
