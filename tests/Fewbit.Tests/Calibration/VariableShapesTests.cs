using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Tensors;
using Fewbit.Tests.Quantization;
using Fewbit.Transforms;

namespace Fewbit.Tests.Calibration;

/// <summary>Batches whose shapes differ: pictures of any size, sequences of any length.</summary>
public sealed class VariableShapesTests
{
    private static Graph Pictures()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 3, "H", "W");
        x.Conv("first", 8).Named("Relu", "relu").Conv("second", 8, seed: 3).Named("Relu", "relu2").Conv("last", 3, seed: 5).Returns();
        return graph;
    }

    private static Graph Sequences()
    {
        var graph = new Graph("sequences", 13);
        Value ids = graph.AddInput("ids", ElementType.Int64, ["N", "T"]);
        Value embedded = graph.AddConstant("table", SmallGraphs.Random([20, 16], 1)).Named("Gather", "embed", null, ids);
        Value hidden = embedded.Named("MatMul", "up", null, graph.AddConstant("w1", SmallGraphs.Random([16, 32], 2))).Named("Relu", "relu");
        hidden.Named("MatMul", "down", null, graph.AddConstant("w2", SmallGraphs.Random([32, 20], 3))).Returns();
        return graph;
    }

    private static Dictionary<string, Tensor>[] PictureBatches() =>
        [.. new (int N, int H, int W)[] { (1, 8, 8), (2, 13, 5), (1, 4, 31), (3, 8, 8), (1, 17, 9) }.Select((size, seed) => new Dictionary<string, Tensor> { ["input"] = SmallGraphs.Random([size.N, 3, size.H, size.W], seed) })];

    private static Dictionary<string, Tensor>[] SequenceBatches() => [.. new (int N, int T)[] { (2, 7), (1, 1), (4, 12), (1, 30), (2, 7) }.Select((size, seed) =>
    {
        var random = new Random(seed);
        return new Dictionary<string, Tensor> { ["ids"] = Tensor.From<long>([.. Enumerable.Range(0, size.N * size.T).Select(_ => (long)random.Next(20))], [size.N, size.T]) };
    })];

    [Theory]
    [InlineData("minmax")]
    [InlineData("moving-average")]
    [InlineData("percentile:99")]
    [InlineData("mse")]
    [InlineData("entropy")]
    [InlineData("brecq")]
    [InlineData("qdrop")]
    public async Task Quantize_BatchesOfAnyShape_HaveTheRangesOfAllTheirValues(string rule)
    {
        foreach ((Graph graph, Dictionary<string, Tensor>[] batches) in ((Graph, Dictionary<string, Tensor>[])[])[(Pictures(), PictureBatches()), (Sequences(), SequenceBatches())])
        {
            QuantizationResult result = await Quantizer.For(graph).Calibrate(batches).RunAsync(new() { ActivationRange = RangeRule.Parse(rule) });
            Assert.Equal(batches.Sum(batch => batch.Values.Single().Shape[0]), result.Report.CalibrationSamples);
            Assert.NotEmpty(result.Report.Tensors);
            var expected = result.Report.Tensors.ToDictionary(tensor => tensor.Name, _ => RangeRule.Parse(rule).CreateEstimator(), StringComparer.Ordinal);
            foreach (Dictionary<string, Tensor> batch in batches)
            {
                new ObservingRunner(result.FloatModel).Run(batch, (value, tensor) =>
                {
                    if (expected.TryGetValue(value.Name, out RangeEstimator? estimator)) estimator.Observe(tensor.Span<float>());
                });
            }
            foreach (TensorReport tensor in result.Report.Tensors.Where(tensor => tensor.RangeOf == tensor.Name))
            {
                (float scale, int zeroPoint) = expected[tensor.Name].Fit(tensor.Format, QuantizationScheme.Affine);
                // Blocked kernels add in another order: a value may fall into the next bin.
                Assert.Equal(scale, tensor.Scale, 0.02f * scale);
                Assert.InRange(tensor.ZeroPoint, zeroPoint - 4, zeroPoint + 4);
            }
        }
    }

    [Fact]
    public async Task Quantize_TransformsOnBatchesOfAnyShape_AreApplied()
    {
        QuantizationResult result = await Quantizer.For(Pictures()).Calibrate(PictureBatches())
            .RunAsync(new() { Weights = IntegerFormat.Parse("int4"), Transforms = [new EqualizeLayers(), new CorrectBiases { Source = MeanSource.Data }] });
        // The last Conv writes an output of the model: it stays float.
        Assert.Equal(2, result.Report.Transforms[^1].Changes.Count);
    }

    [Fact]
    public void Observe_ManyShapes_CountsEveryElement()
    {
        Graph graph = Pictures();
        var calibrator = new Calibrator(graph, ["relu/out"], RangeRule.MinMax);
        for (int size = 4; size < 40; size++)
        {
            calibrator.Observe(new Dictionary<string, Tensor> { ["input"] = SmallGraphs.Random([1, 3, size, size], size) });
        }
        Assert.Equal(36, calibrator.SampleCount);
        Assert.Equal(8 * Enumerable.Range(4, 36).Sum(size => (long)size * size), calibrator.Estimators["relu/out"].Count);
    }
}
