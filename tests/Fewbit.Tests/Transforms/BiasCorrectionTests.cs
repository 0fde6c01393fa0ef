using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Quantization;
using Fewbit.Tensors;
using Fewbit.Tests.Quantization;
using Fewbit.Transforms;

namespace Fewbit.Tests.Transforms;

public sealed class BiasCorrectionTests
{
    private static readonly QuantizationOptions s_lowBits = new() { Weights = IntegerFormat.Parse("int3"), Activations = null, KeepEdgesAt8Bits = false, Placement = QuantizerPlacement.Paper };

    /// <summary>Weights of which most are rounded up, so that means move.</summary>
    private static Graph Biased()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 4, 8, 8);
        x.Conv("first", 8).Named("Relu", "relu").Conv("second", 6, seed: 3, bias: false).Named("Relu", "relu2").Named("GlobalAveragePool", "pool").Named("Flatten", "flatten")
            .Named("Gemm", "last", null, graph.AddConstant("w", SmallGraphs.Random([6, 3], 9))).Returns();
        foreach (Value weight in graph.Constants.Where(value => value.Constant!.Rank > 1))
        {
            float largest = weight.Constant!.Span<float>().ToArray().Max(MathF.Abs);
            // Codes reach 3: a weight of 0.6 steps becomes one of 1.
            Span<float> values = weight.Constant!.Span<float>();
            for (int i = 0; i < values.Length; i++) values[i] = largest * (i % 7 == 0 ? 1 : 0.6f / 3 * (1 + i % 2));
        }
        return graph;
    }

    private static QuantizationResult Quantize(Graph graph, IReadOnlyDictionary<string, Tensor> batch, QuantizationOptions options) =>
        Quantizer.For(graph).Calibrate([batch]).RunAsync(options).GetAwaiter().GetResult();

    /// <summary>The largest difference of channel means of a value, as a share of the largest float mean.</summary>
    private static double MeanDifference(QuantizationResult result, string value, IReadOnlyDictionary<string, Tensor> batch)
    {
        double[] a = Means(result.FloatModel), b = Means(result.Model);
        return a.Zip(b, (x, y) => Math.Abs(x - y)).Max() / a.Max(Math.Abs);

        double[] Means(Graph source)
        {
            Graph graph = source.Clone();
            if (!graph.Find(value)!.IsOutput) graph.AddOutput(graph.Find(value)!);
            using var runner = new GraphRunner(graph);
            Tensor tensor = runner.Run(batch)[value];
            var means = new double[tensor.Shape[1]];
            int inner = (int)tensor.Shape.CountOf(2, tensor.Rank);
            for (int i = 0; i < tensor.ElementCount; i++) means[i / inner % means.Length] += tensor.Span<float>()[i] * (double)means.Length / tensor.ElementCount;
            return means;
        }
    }

    [Fact]
    public void RunAsync_FromData_BringsEveryMeanBack()
    {
        Graph graph = Biased();
        IReadOnlyDictionary<string, Tensor> batch = SmallGraphs.Batch(graph, 1, 32);
        QuantizationResult plain = Quantize(graph, batch, s_lowBits), corrected = Quantize(graph, batch, s_lowBits with { Transforms = [new CorrectBiases()] });
        foreach (string value in (string[])["first/out", "second/out", "last/out"])
        {
            Assert.InRange(MeanDifference(plain, value, batch), 1e-3, 10);
            Assert.InRange(MeanDifference(corrected, value, batch), 0, 1e-5);
        }
        TransformReport report = Assert.Single(corrected.Report.Transforms);
        Assert.Equal(["first", "second", "last"], report.Changes.Select(change => change.Node));
        Assert.All(report.Changes, change => Assert.Matches("^bias moved by up to [0-9.]+, from 32 samples$", change.Text));
    }

    [Fact]
    public void RunAsync_Int8Activations_LowersTheErrorOfMeans()
    {
        Graph graph = Biased();
        IReadOnlyDictionary<string, Tensor> batch = SmallGraphs.Batch(graph, 1, 32);
        QuantizationOptions options = s_lowBits with { Activations = IntegerFormat.UInt8, Placement = QuantizerPlacement.Deploy, QuantizeOutputs = false };
        double plain = MeanDifference(Quantize(graph, batch, options), "last/out", batch), corrected = MeanDifference(Quantize(graph, batch, options with { Transforms = [new CorrectBiases()] }), "last/out", batch);
        // Biases rounded to 32 bits and codes on the other side of a tie are left.
        Assert.InRange(corrected, 0, 0.05 * plain);
    }

    [Fact]
    public async Task Run_NormalInputAndBatchNorm_StatisticsAndDataAgree()
    {
        Graph graph = NormalizedNetwork.Create();
        QuantizerSites sites = QuantizerSites.Find(graph, s_lowBits);
        var weights = sites.Weights.ToDictionary(site => site.Node.Name, site => SimulatedGraph.Nearest(site, WeightQuantizer.FitChannels(site.Weight.Constant!, site.Axis, site.Format, Fewbit.Calibration.RangeRule.MinMax)));
        // The first layer stays exact: the formula is about one layer's rounding.
        weights["first"] = sites.Weights[0].Weight.Constant!;
        KeptBatches samples = await KeptBatches.ReadAsync(new[] { NormalizedNetwork.Batch(1, 128) }.ToAsyncEnumerable().GetAsyncEnumerator(), 1, default);
        (IReadOnlyDictionary<string, Tensor> measured, _) = Correct(MeanSource.Data);
        (IReadOnlyDictionary<string, Tensor> derived, TransformReport report) = Correct(MeanSource.StatisticsOrData);
        (IReadOnlyDictionary<string, Tensor> without, TransformReport reportWithout) = Correct(MeanSource.Statistics);
        double[] Change(IReadOnlyDictionary<string, Tensor> biases) => [.. biases["second"].Span<float>().ToArray().Zip(sites.Weights[1].Node.Inputs[2]!.Constant!.Span<float>().ToArray(), (x, y) => (double)x - y)];
        double largest = Change(measured).Max(Math.Abs);
        Assert.InRange(largest, 1e-3, 1);
        // 32,768 positions: a mean has a standard error of 0.6 % of the deviation.
        Assert.All(Change(measured).Zip(Change(derived)), pair => Assert.Equal(pair.First, pair.Second, 0.03 * largest));
        Assert.Equal(["from batch-norm statistics", "from 128 samples"], report.Changes.Select(change => change.Text[(change.Text.IndexOf(',') + 2)..]));
        Assert.Equal(["second"], without.Keys);
        Assert.Equal(("first", "no batch-norm statistics reach its input"), (reportWithout.Skipped[0].Node, reportWithout.Skipped[0].Text));

        (IReadOnlyDictionary<string, Tensor>, TransformReport) Correct(MeanSource source) =>
            BiasCorrector.Run(graph, new() { Source = source }, sites, new Dictionary<string, QuantizationParameters>(), weights, samples);
    }

    [Fact]
    public void Of_SumOfNormalizedBranches_AddsMeansAndVariances()
    {
        Graph graph = NormalizedNetwork.Create();
        Value relu = graph.Find("relu/out")!;
        Value sum = graph.AddNode("Add", [relu, relu.Producer!.Inputs[0]], name: "sum").Outputs[0], joined = graph.AddNode("Concat", [sum, relu], new() { { "axis", 1L } }, name: "joined").Outputs[0];
        var propagation = new MomentPropagation();
        (ChannelMoments a, ChannelMoments b) = (propagation.Of(relu)!, propagation.Of(relu.Producer!.Inputs[0]!)!);
        Assert.Equal(a.Mean.Zip(b.Mean, (x, y) => x + y), propagation.Of(sum)!.Mean);
        Assert.Equal(a.Variance!.Zip(b.Variance!, (x, y) => x + y), propagation.Of(sum)!.Variance!);
        Assert.Equal([.. propagation.Of(sum)!.Mean, .. a.Mean], propagation.Of(joined)!.Mean);
        Assert.Null(propagation.Of(graph.Inputs[0]));
    }

    [Fact]
    public void RunAsync_CorrectionBeforeAnother_IsRefused()
    {
        Graph graph = Biased();
        ArgumentException problem = Assert.Throws<ArgumentException>(() => Quantize(graph, SmallGraphs.Batch(graph, 1), new() { Transforms = [new CorrectBiases(), new EqualizeLayers()] }));
        Assert.Equal("'correct biases' is followed by 'equalize layers', expected last: it corrects what rounding the final weights does", problem.Message);
    }
}
