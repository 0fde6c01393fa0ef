using Fewbit.Calibration;
using Fewbit.Data;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Quantization;
using Fewbit.Runtime;
using Fewbit.Tensors;
using Fewbit.Testing;
using Fewbit.Verification;

namespace Fewbit.Tests.Quantization;

/// <summary>Weights and activations that formulas stumble over, in whole models: a defined result that ONNX Runtime loads and computes code for code, and a line in the report.</summary>
public sealed class DegenerateModelsTests
{
    private static readonly Lazy<OnnxRuntimeLibrary> s_library = new(() => OnnxRuntimeLibrary.Open(Oracles.OnnxRuntimeLibrary));

    private static readonly (string Weights, string Activations, WeightGranularity Granularity, string Range)[] s_options =
    [
        ("int8", "uint8", WeightGranularity.PerChannel, "mse"), ("int8", "uint8", WeightGranularity.PerTensor, "minmax"), ("uint4", "uint4", WeightGranularity.PerChannel, "entropy"),
        ("int4", "uint4", WeightGranularity.PerTensor, "percentile"), ("int2", "uint2", WeightGranularity.PerChannel, "moving-average"), ("uint2", "uint3", WeightGranularity.PerChannel, "qdrop"),
    ];

    /// <summary>What the middle layer's weight holds, and what the report must say of it; empty where it is nothing unusual.</summary>
    public static TheoryData<string, string> Weights => new()
    {
        { "zeros", "'middle.weight' of 'middle': 4 channels hold only zeros (0, 1, 2, 3)" },
        { "negative zeros", "'middle.weight' of 'middle': 4 channels hold only zeros (0, 1, 2, 3)" },
        { "a zero channel", "'middle.weight' of 'middle': 1 channels hold only zeros (2)" },
        { "constant", "'middle.weight' of 'middle': all weights are equal" },
        { "denormal", "'middle.weight' of 'middle': the weights of 4 of 4 channels are too small for the scale and became 0" },
        { "denormal scale", "'middle.weight' of 'middle': the weights of 4 of 4 channels are too small for the scale and became 0" },
        { "one large", "" },
        { "large", "'middle/out' reaches" },
    };

    /// <summary>What every sample holds, and what the report must say of it.</summary>
    public static TheoryData<string, string> Activations => new()
    {
        { "zeros", "'input': all values are 0 in calibration" },
        { "negative zeros", "'input': all values are 0 in calibration" },
        { "constant", "'input': all values are equal in calibration" },
        { "denormal", "are too small for the scale and became 0 in calibration" },
        { "denormal scale", "are too small for the scale and became 0 in calibration" },
        { "some NaN", "'input' was NaN 4 and infinite 0 times of 2048 in calibration; they were left out" },
        { "some infinite", "'input' was NaN 0 and infinite 4 times of 2048 in calibration; they were left out" },
        { "one large", "" },
    };

    [RuntimeTheory]
    [MemberData(nameof(Weights))]
    public void Weight_Degenerate_IsExactAndListed(string kind, string listed)
    {
        foreach (var options in s_options)
        {
            Graph graph = Model(Values(kind, 16, 1));
            QuantizationResult result = Quantize(graph, options, seed => SmallGraphs.Random([4, 2, 8, 8], seed));
            AssertListed(result, listed);
            AssertExact(result.Model, SmallGraphs.Random([4, 2, 8, 8], 99));
        }
    }

    [RuntimeTheory]
    [MemberData(nameof(Activations))]
    public void Activation_Degenerate_IsExactAndListed(string kind, string listed)
    {
        foreach (var options in s_options)
        {
            QuantizationResult result = Quantize(Model(Values("ordinary", 16, 1)), options, seed => Tensor.From(Values(kind, 512, seed), [4, 2, 8, 8]));
            AssertListed(result, listed);
            // What calibration never saw must still be the runtime's, code for code.
            AssertExact(result.Model, SmallGraphs.Random([4, 2, 8, 8], 99));
        }
    }

    [Theory]
    [InlineData("all NaN", "'input' had no finite value in calibration")]
    [InlineData("large", "'input' reaches 1E+30: too large for 8 bits beside other numbers")]
    public void Activation_OfNoUseFromTheInputOn_IsRefusedByName(string kind, string reason)
    {
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => Quantize(Model(Values("ordinary", 16, 1)), s_options[0], seed => Tensor.From(Values(kind, 512, seed), [4, 2, 8, 8])));
        Assert.Equal($"no Conv, Gemm or MatMul can run in integers: Conv 'first': {reason}", e.Message);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void Weight_NotFinite_IsRefusedByName_AndQuantizesOnceExcluded(float value)
    {
        float[] weight = Values("ordinary", 16, 1);
        weight[5] = value;
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => SmallGraphs.Quantize(Model(weight)));
        Assert.Equal(FormattableString.Invariant($"Conv 'middle': 'middle.weight' float32 [4, 4, 1, 1] holds {value} at position 5, expected finite numbers; repair the model or exclude the node"), e.Message);
        QuantizationResult result = SmallGraphs.Quantize(Model(weight), new() { Exclude = ["middle"] });
        Assert.Equal(NodeOutcome.Float, result.Node("middle").Outcome);
        Assert.Equal(NodeOutcome.Integer, result.Node("first").Outcome);
    }

    /// <summary>One element everywhere: weight, activations, samples.</summary>
    [RuntimeFact]
    public void OneElement_EverywhereInTheModel_IsExact()
    {
        foreach (var options in s_options)
        {
            Graph graph = SmallGraphs.Create(out Value x, "N", 1, 1, 1);
            x.Conv("a", 1, 1).Named("Relu", "relu").Conv("b", 1, 1, seed: 3).Conv("c", 1, 1, seed: 5).Named("GlobalAveragePool", "pool").Returns();
            QuantizationResult result = Quantize(graph, options, seed => SmallGraphs.Random([1, 1, 1, 1], seed));
            Assert.Equal(3, result.Report.Weights.Count);
            AssertExact(result.Model, SmallGraphs.Random([1, 1, 1, 1], 99));
        }
    }

    private static float[] Values(string kind, int count, int seed)
    {
        float[] values = SmallGraphs.Random([count], seed).Span<float>().ToArray();
        return kind switch
        {
            "zeros" => new float[count],
            "negative zeros" => [.. Enumerable.Repeat(-0.0f, count)],
            "a zero channel" => [.. values.Select((value, i) => i / 4 == 2 ? 0 : value)],
            "constant" => [.. Enumerable.Repeat(0.3f, count)],
            "denormal" => Array.ConvertAll(values, value => value * 1e-42f),
            "denormal scale" => Array.ConvertAll(values, value => value * 1e-38f),
            "one large" => [.. values.Select((value, i) => i == 3 ? 1e5f : value)],
            "large" => Array.ConvertAll(values, value => value * 1e30f),
            "some NaN" => [.. values.Select((value, i) => i == 3 ? float.NaN : value)],
            "some infinite" => [.. values.Select((value, i) => i == 3 ? float.NegativeInfinity : value)],
            "all NaN" => [.. Enumerable.Repeat(float.NaN, count)],
            _ => values,
        };
    }

    private static Graph Model(float[] weight)
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 2, 8, 8);
        Value relu = x.Conv("first", 4).Named("Relu", "relu");
        Value middle = relu.Named("Conv", "middle", null, graph.AddConstant("middle.weight", Tensor.From(weight, [4, 4, 1, 1])), graph.AddConstant("middle.bias", SmallGraphs.Random([4], 8)));
        middle.Conv("last", 3, seed: 7).Named("GlobalAveragePool", "pool").Returns();
        return graph;
    }

    private static QuantizationResult Quantize(Graph graph, (string Weights, string Activations, WeightGranularity Granularity, string Range) options, Func<int, Tensor> sample) =>
        Quantizer.For(graph).Calibrate(Enumerable.Range(0, 4).Select(seed => new Dictionary<string, Tensor> { ["input"] = sample(seed) })).RunAsync(new()
        {
            Weights = IntegerFormat.Parse(options.Weights), Activations = IntegerFormat.Parse(options.Activations), WeightGranularity = options.Granularity,
            WeightRange = RangeRule.Parse(options.Range), ActivationRange = RangeRule.Parse(options.Range), KeepEdgesAt8Bits = false,
        }).GetAwaiter().GetResult();

    private static void AssertListed(QuantizationResult result, string listed)
    {
        string[] said = [.. result.Report.Warnings, .. result.Report.Nodes.Select(node => node.Reason)];
        Assert.True(said.Any(line => line.Contains(listed, StringComparison.Ordinal)), $"'{listed}' is not among: {string.Join(" | ", said)}");
        Assert.All(result.Report.Tensors, tensor => Assert.True(float.IsNormal(tensor.Scale), $"{tensor}"));
    }

    private static void AssertExact(Graph model, Tensor input)
    {
        var batch = new SampleBatch(new Dictionary<string, Tensor> { ["input"] = input }, (int)input.Shape[0], 0, null);
        VerificationResult equal = CodeComparison.Compare(model, graph => ModelRunner.From(graph), graph => OnnxRuntimeSession.Load(s_library.Value, OnnxFile.ToBytes(graph)), [batch]);
        Assert.Equal((0, 0), (equal.UnequalIntegerQuantizers, equal.LocalMaxCodeDifference));
        Assert.All(equal.Outputs.Values, output => Assert.InRange(output.MaxDifference, 0, 1e-5 * Math.Max(1, output.MaxReference)));
    }
}
