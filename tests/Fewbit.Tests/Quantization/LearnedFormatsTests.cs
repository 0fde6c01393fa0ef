using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Quantization;
using Fewbit.Tensors;
using Fewbit.Testing;
using Fewbit.Tests.Reconstruction;

namespace Fewbit.Tests.Quantization;

/// <summary>Learned rounding and learned steps in formats other than integers with one scale a channel, up to the file.</summary>
public sealed class LearnedFormatsTests
{
    // Smooth pictures: on noise, where inputs are not alike, nothing beats the nearest code.
    private static readonly Tensor s_pictures = SmallNetwork.Inputs(samples: 64)["x"];

    /// <summary>Weights, their granularity, activations.</summary>
    public static TheoryData<string, string, string?> Formats => new()
    {
        { "fp3e1m1", "channel", "fp8e4m3fn" }, { "fp6e3m2", "channel", "fp8e5m2" }, { "apot4", "channel", "uapot4" },
        { "pot3", "tensor", "uint4" }, { "codebook", "channel", "fp4e2m1" }, { "uint3", "group:8", "uint4" }, { "fp4e2m1", "group:8", null }, { "int12", "channel", "uint16" },
    };

    private static NumberFormat FormatOf(string name) => name == "codebook" ? new CodebookFormat([-1.2f, -0.55f, -0.2f, 0, 0.25f, 0.5f, 0.9f]) : NumberFormats.Parse(name);

    private static Graph Network()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 3, 8, 8);
        Value a = x.Conv("stem", 16).Named("Relu", "stem/relu");
        Value b = a.Conv("conv1", 16, seed: 3).Named("Relu", "relu1").Conv("conv2", 16, seed: 5);
        b.Named("Add", "add", null, a).Named("Relu", "relu2").Named("GlobalAveragePool", "pool").Named("Flatten", "flatten")
            .Named("Gemm", "head", null, graph.AddConstant("w", SmallGraphs.Random([16, 4], 9, 0.5f)), graph.AddConstant("b", SmallGraphs.Random([4], 10))).Returns();
        return graph;
    }

    private static QuantizationOptions Options(string weights, string granularity, string? activations, int iterations) => new QuantizationOptions
    {
        Method = RoundingMethod.QDrop, Weights = FormatOf(weights), WeightGranularity = WeightGranularity.Parse(granularity), Activations = activations is null ? null : FormatOf(activations),
        KeepEdgesAt8Bits = false, Placement = QuantizerPlacement.Paper, Learning = new() { Iterations = iterations, Seed = 3, RoundingRate = 0.02, RoundingWeight = 0.02 },
    }.Resolve();

    private static (Graph Prepared, QuantizerSites Sites, GivenQuantizers Given) Learn(QuantizationOptions options)
    {
        Graph prepared = Preparation.Prepare(Network());
        var sites = QuantizerSites.Find(prepared, options);
        return (prepared, sites, LearnedQuantizers.Learn(prepared, sites, Inputs(s_pictures), options, null, CancellationToken.None).Quantizers);
    }

    private static Graph Simulate((Graph Prepared, QuantizerSites Sites, GivenQuantizers Given) learned) => SimulatedGraph.Build(learned.Prepared, learned.Sites, learned.Given.Activations,
        learned.Given.Weights.ToDictionary(pair => pair.Key, pair => AffineQuantizer.Dequantize(pair.Value.Codes, pair.Value.Parameters), StringComparer.Ordinal));

    private static Dictionary<string, Tensor> Inputs(Tensor pictures) => new() { ["input"] = pictures };

    private static float[] Run(Graph graph, ulong seed)
    {
        using var runner = new GraphRunner(graph);
        return runner.Run(Inputs(SmallNetwork.Inputs(seed)["x"])).Values.Single().Span<float>().ToArray();
    }

    /// <summary>On the pictures of calibration: what the learning lowers for certain.</summary>
    private static double Error(Graph model) => Run(Network(), 5).Zip(Run(model, 5)).Sum(pair => Math.Pow(pair.First - pair.Second, 2));

    [Theory]
    [MemberData(nameof(Formats))]
    public void Learn_AnyFormat_StartsAtTheNearestAndErrsLess(string weights, string granularity, string? activations)
    {
        var nearest = Learn(Options(weights, granularity, activations, 0));
        foreach (WeightSite site in nearest.Sites.Weights)
        {
            GivenWeight given = nearest.Given.Weights[site.Node.Name];
            Assert.Equal(SimulatedGraph.Nearest(site, given.Parameters).Span<float>().ToArray(), AffineQuantizer.Dequantize(given.Codes, given.Parameters).Span<float>().ToArray());
        }
        var learned = Learn(Options(weights, granularity, activations, 200));
        Assert.Equal(nearest.Given.Weights["conv1"].Parameters.Scales.ToArray(), learned.Given.Weights["conv1"].Parameters.Scales.ToArray());
        if (activations is not null) Assert.Contains(learned.Given.Activations, pair => pair.Value.Scale != nearest.Given.Activations[pair.Key].Scale);
        // With 12 bits nothing is left to gain: it must not get worse.
        Assert.InRange(Error(Simulate(learned)), 0, (weights == "int12" ? 2 : 0.9) * Error(Simulate(nearest)));
    }

    [RuntimeTheory]
    [MemberData(nameof(Formats))]
    [InlineData("fp4e2m1", "channel", null)]
    public void Write_Learned_IsTheSimulation(string weights, string granularity, string? activations)
    {
        QuantizationOptions options = Options(weights, granularity, activations, 20);
        var learned = Learn(options);
        Graph model = Quantizer.Write(Network(), [Inputs(s_pictures)], options, learned.Given).Model, simulated = Simulate(learned);
        // Its optimizer would round float inputs of int8 weights to integers.
        using OnnxRuntimeSession session = OnnxRuntimeSession.Load(OnnxRuntimeLibrary.Open(Oracles.OnnxRuntimeLibrary), OnnxFile.ToBytes(model), new() { OptimizationLevel = GraphOptimizationLevel.Off });
        float[] expected = Run(simulated, 200), written = Run(model, 200), run = session.Run(Inputs(SmallNetwork.Inputs(200)["x"])).Values.Single().Span<float>().ToArray();
        for (int i = 0; i < expected.Length; i++)
        {
            // Sums in another order move a number by some 1e-6 of the scores, and none of these samples lies that close to an edge.
            Assert.Equal(expected[i], written[i], 2e-5);
            Assert.Equal(expected[i], run[i], 2e-5);
        }
    }
}
