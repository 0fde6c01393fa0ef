using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Quantization;
using Fewbit.Tensors;
using Fewbit.Testing;
using FsCheck;
using FsCheck.Fluent;

namespace Fewbit.Tests.Quantization;

/// <summary>Every number format in the file: what it stands for, and that ONNX Runtime loads it at each level and computes what Fewbit computes.</summary>
public sealed class FormatExportTests
{
    private static readonly string[] s_weights =
    [
        "uint1", "int2", "uint2", "int3", "uint3", "int4", "uint4", "uint5", "int6", "int7", "int8", "uint8", "int12", "int16", "uint16", "fp8e4m3fn", "fp8e4m3fnuz", "fp8e5m2", "fp8e5m2fnuz",
        "fp8e3m4", "fp6e3m2", "fp6e2m3", "fp5e2m2", "fp4e2m1", "fp3e1m1", "pot3", "pot4", "pot6", "apot3", "apot4", "apot8",
    ];

    private static readonly string[] s_activations = ["int8", "int4", "uint3", "uint16", "int16", "uint12", "fp8e4m3fn", "fp8e5m2", "fp8e4m3fnuz", "fp8e3m4", "fp6e3m2", "fp4e2m1", "pot4", "apot4", "upot3"];
    private static readonly string[] s_layers = ["Conv", "Gemm", "MatMul"];

    public static TheoryData<string, string> Weights => Product(s_weights);

    public static TheoryData<string, string> Activations => Product(s_activations);

    private static TheoryData<string, string> Product(string[] formats)
    {
        var data = new TheoryData<string, string>();
        foreach (string format in formats) foreach (string layer in s_layers) data.Add(format, layer);
        return data;
    }

    /// <summary>Three layers of a kind, the last without bias.</summary>
    internal static Graph Network(string layer)
    {
        if (layer == "Conv")
        {
            Graph pictures = SmallGraphs.Create(out Value picture, "N", 3, 6, 6);
            picture.Conv("a", 8).Named("Relu", "ra").Conv("b", 8, seed: 3).Named("Clip", "rb", null, null, pictures.AddConstant("six", Tensor.Scalar(0.6f))).Conv("c", 8, bias: false, seed: 5).Named("GlobalAveragePool", "pool").Returns();
            return pictures;
        }
        Graph graph = SmallGraphs.Create(out Value x, "N", 40);
        Value Weight(string name, int seed, params ReadOnlySpan<long> shape) => graph.AddConstant(name + ".weight", SmallGraphs.Random(new(shape), seed, 0.3f));
        if (layer == "MatMul")
        {
            x.Named("MatMul", "a", null, Weight("a", 1, 40, 24)).Named("Relu", "ra").Named("MatMul", "b", null, Weight("b", 2, 24, 16)).Named("Relu", "rb").Named("MatMul", "c", null, Weight("c", 3, 16, 8)).Returns();
            return graph;
        }
        Value Bias(string name, int seed, long length) => graph.AddConstant(name + ".bias", SmallGraphs.Random([length], seed, 0.1f));
        x.Named("Gemm", "a", new() { { "transB", 1 } }, Weight("a", 1, 24, 40), Bias("a", 4, 24)).Named("Relu", "ra").Named("Gemm", "b", null, Weight("b", 2, 24, 16), Bias("b", 5, 16)).Named("Relu", "rb")
            .Named("Gemm", "c", new() { { "transB", 1 } }, Weight("c", 3, 8, 16)).Returns();
        return graph;
    }

    private static QuantizationResult Quantize(Graph graph, string weights, string? activations, WeightContainer container = WeightContainer.Fast, WeightGranularity granularity = default) => SmallGraphs.Quantize(graph, new()
    {
        Weights = NumberFormats.Parse(weights), Activations = activations is null ? null : NumberFormats.Parse(activations), Container = container, WeightGranularity = granularity,
        KeepEdgesAt8Bits = false, KeepLastInputAt8Bits = false, WeightRange = RangeRule.MinMax,
    });

    /// <param name="model">What is run.</param>
    /// <param name="tolerance">Share of the largest output.</param>
    /// <param name="unfused">The same below the level that fuses: there the runtime adds in float between the quantizers, and a sum next to half a code may round the other way.</param>
    private static void AssertSameInTheRuntime(Graph model, double tolerance = 1e-5, double? unfused = null)
    {
        foreach (GraphOptimizationLevel level in Enum.GetValues<GraphOptimizationLevel>())
            Assert.InRange(ModeGraphs.AgainstRuntime(model, level), 0, level < GraphOptimizationLevel.Extended ? unfused ?? tolerance : tolerance);
    }

    /// <summary>The value of nodes that read constants alone.</summary>
    private static Tensor Evaluate(Value value) => value.Constant ?? new Interpreter().RunNode(value.Producer!, Evaluate)[0];

    [RuntimeTheory]
    [MemberData(nameof(Weights))]
    public void Weights_EveryFormat_RunInTheRuntimeAsHere(string format, string layer)
    {
        foreach (WeightContainer container in Enum.GetValues<WeightContainer>())
        {
            AssertSameInTheRuntime(Quantize(Network(layer), format, "uint8", container).Model, unfused: 5e-3);
            AssertSameInTheRuntime(Quantize(Network(layer), format, null, container).Model);
        }
    }

    [Theory]
    [MemberData(nameof(Weights))]
    public void Weights_EveryFormat_StandForTheRoundedNumbers(string name, string layer)
    {
        NumberFormat format = WeightQuantizer.CodesOf(NumberFormats.Parse(name));
        foreach (WeightContainer container in Enum.GetValues<WeightContainer>())
        {
            foreach (string? activations in new[] { "uint8", null })
            {
                QuantizationResult result = Quantize(Network(layer), name, activations, container);
                Node node = result.FloatModel.Nodes.Single(node => node.Name == "b");
                Tensor weight = node.Inputs[1]!.Constant!;
                Tensor expected = AffineQuantizer.FakeQuantize(weight, WeightQuantizer.FitChannels(weight, OperatorRules.ChannelAxis(node), format, RangeRule.MinMax));
                Tensor actual = Evaluate(result.Model.Nodes.Single(node => node.Name == "b").Inputs[1]!);
                // Powers of two whose highest is no power of two have a unit that float32 rounds.
                float tolerance = name.StartsWith("apot", StringComparison.Ordinal) ? 3e-7f : 0;
                for (int i = 0; i < expected.ElementCount; i++) Assert.InRange(actual.Span<float>()[i], expected.Span<float>()[i] - tolerance, expected.Span<float>()[i] + tolerance);
            }
        }
    }

    [Theory]
    [InlineData("int4", WeightContainer.Fast, 13, 8)]
    [InlineData("int4", WeightContainer.Small, 21, 4)]
    [InlineData("uint2", WeightContainer.Small, 25, 2)]
    [InlineData("int3", WeightContainer.Small, 13, 3)]
    [InlineData("uint6", WeightContainer.Small, 13, 6)]
    [InlineData("fp4e2m1", WeightContainer.Small, 13, 4)]
    [InlineData("fp6e3m2", WeightContainer.Small, 13, 6)]
    [InlineData("fp8e4m3fn", WeightContainer.Fast, 19, 8)]
    [InlineData("int16", WeightContainer.Fast, 21, 16)]
    public void Weights_Container_TakesTheLowestOpsetAndTheBitsOfTheFormat(string format, WeightContainer container, int opset, int bits)
    {
        QuantizationResult result = Quantize(Network("Conv"), format, "uint8", container);
        Assert.Equal(opset, OnnxFile.Load(OnnxFile.ToBytes(result.Model)).OpsetVersion(""));
        WeightReport report = result.Report.Weights.Single(weight => weight.Node == "b");
        // 8 * 8 * 9 codes; words of 64 bits hold whole codes and the last one is not full.
        Assert.InRange(report.StoredBytes, 576 * bits / 8, 576 * bits / 8 * 1.07 + 8);
    }

    [RuntimeTheory]
    [InlineData("int2", WeightContainer.Small)]
    [InlineData("uint2", WeightContainer.Small)]
    [InlineData("uint3", WeightContainer.Small)]
    [InlineData("int4", WeightContainer.Small)]
    [InlineData("uint5", WeightContainer.Small)]
    [InlineData("fp4e2m1", WeightContainer.Fast)]
    [InlineData("fp4e2m1", WeightContainer.Small)]
    [InlineData("fp6e2m3", WeightContainer.Small)]
    [InlineData("pot4", WeightContainer.Small)]
    [InlineData("apot4", WeightContainer.Fast)]
    [InlineData("uint8", WeightContainer.Fast)]
    public void Weights_OnAGridOfIntegers_AreFusedByTheRuntime(string format, WeightContainer container)
    {
        QuantizationResult result = Quantize(Network("Conv"), format, "uint8", container);
        IReadOnlyList<string> nodes = SmallGraphs.RuntimeNodes(result.Model, out float difference);
        Assert.Equal(3, nodes.Count(node => node.EndsWith("QLinearConv", StringComparison.Ordinal)));
        Assert.DoesNotContain(nodes, node => node is "Conv" or "com.microsoft.FusedConv" or "Gather" or "BitShift" or "Cast");
        Assert.InRange(difference, 0, 1e-6f);
        Assert.All(result.Report.Nodes.Where(node => node.OpType == "Conv"), node => Assert.Equal(NodeOutcome.Integer, node.Outcome));
    }

    [RuntimeTheory]
    [MemberData(nameof(Activations))]
    public void Activations_EveryFormat_RunInTheRuntimeAsHere(string format, string layer)
    {
        foreach (string weights in new[] { "int8", "int4", "fp8e4m3fn", "int16" })
        {
            QuantizationResult result = Quantize(Network(layer), weights, format, WeightContainer.Small);
            // A float sum on the edge of two codes may fall to either side: the output then moves by a part of one code of 4,096.
            AssertSameInTheRuntime(result.Model, NumberFormats.Parse(format).BitWidth is > 8 and < 16 ? 1.0 / 4096 : 1e-5);
            Assert.Equal(NumberFormats.Parse(format).Name, result.Report.Tensors.Single(tensor => tensor.Name.StartsWith("ra", StringComparison.Ordinal)).Format.Name);
        }
    }

    [Theory]
    [MemberData(nameof(Activations))]
    public void Activations_EveryFormat_AreTheRoundedNumbers(string name, string layer)
    {
        QuantizationResult result = Quantize(Network(layer), "int8", name);
        TensorReport report = result.Report.Tensors.Single(tensor => tensor.Name.StartsWith("ra", StringComparison.Ordinal));
        Value real = result.Model.Find(report.Name + "_dequantized")!;
        using var runner = new GraphRunner(Behind(result.Model, real, out string source));
        Tensor numbers = SmallGraphs.Random([2, 500], 7, 2);
        Tensor actual = runner.Run(new Dictionary<string, Tensor> { [source] = numbers }).Values.Single();
        // Behind a Relu or with a Clip on codes nothing below 0 comes out.
        Tensor clipped = Tensor.From<float>([.. numbers.Span<float>().ToArray().Select(number => MathF.Max(0, number))], numbers.Shape);
        Tensor expected = AffineQuantizer.FakeQuantize(clipped, new(report.Format, report.Scale, report.ZeroPoint));
        Assert.Equal(expected.Span<float>().ToArray(), Array.ConvertAll(actual.Span<float>().ToArray(), number => MathF.Max(0, number)));
        Assert.Equal(ActivationForms.Of(report.Format) == ActivationForm.Simulated, report.IsSimulated);
        Assert.Equal(report.IsSimulated, result.Report.Warnings.Any(warning => warning.Contains("no runtime has a kernel for", StringComparison.Ordinal)));
    }

    /// <summary>The quantizer of a value as a graph of its own, from what the layer in front computes.</summary>
    private static Graph Behind(Graph model, Value real, out string source)
    {
        Graph graph = model.Clone();
        Node first = graph.Find(real.Name)!.Producer!;
        while (first.Inputs[0]!.Producer is { } before && !before.Is("Conv") && !before.Is("Gemm") && !before.Is("MatMul")) first = before;
        Value input = graph.AddInput(source = "numbers", ElementType.Float32, ["N", 500]);
        Use[] readers = [.. first.Inputs[0]!.Uses];
        foreach (Use use in readers) use.Node.SetInput(use.Index, input);
        foreach (Value output in graph.Outputs.ToArray()) graph.RemoveOutput(output);
        foreach (Value other in graph.Inputs.Where(other => other != input).ToArray()) graph.RemoveInput(other);
        graph.AddOutput(graph.Find(real.Name)!);
        new Fewbit.Graphs.Passes.RemoveDeadNodes().Run(graph);
        foreach (Node node in graph.Nodes) foreach (Value value in node.Outputs) value.Shape = null;
        return graph;
    }

    [RuntimeFact]
    public void Weights_Codebook_AreItsNumbers()
    {
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, "-1 -0.61 -0.2 0 0.13 0.47 1");
            foreach (WeightContainer container in Enum.GetValues<WeightContainer>())
            {
                QuantizationResult result = Quantize(Network("Conv"), $"codebook({file})", "uint8", container);
                AssertSameInTheRuntime(result.Model);
                Assert.InRange(result.Report.Weights.Max(weight => Evaluate(result.Model.Nodes.Single(node => node.Name == weight.Node).Inputs[1]!).Span<float>()[..27].ToArray().Distinct().Count()), 5, 7);
            }
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData("fp6e3m2")]
    [InlineData("pot4")]
    public void Activations_WithoutKernel_AreAFunctionThatReadsBackAsItWasWritten(string format)
    {
        Graph model = Quantize(Network("Gemm"), "int8", format).Model;
        byte[] file = OnnxFile.ToBytes(model);
        Graph read = OnnxFile.Load(file);
        Assert.Contains($"simulation of {format} by standard operators, no speed-up", System.Text.Encoding.UTF8.GetString(file), StringComparison.Ordinal);
        Assert.DoesNotContain(read.Nodes, node => node.Domain.Length > 0);
        Assert.Equal(SmallGraphs.Run(model), SmallGraphs.Run(read));
    }

    [Fact]
    public void Simulation_AnyNumbers_AreThoseOfFakeQuantize()
    {
        foreach (NumberFormat format in Formats.FormatCases.All.Where(format => ActivationForms.Of(format) == ActivationForm.Simulated))
        {
            var graph = new Graph("simulation", 13);
            var parameters = new QuantizationParameters(format, 0.37f);
            graph.AddOutput(new ActivationWriter(graph).Simulate("x", graph.AddInput("x", ElementType.Float32, ["N"]), parameters));
            using var runner = new GraphRunner(OnnxFile.Load(OnnxFile.ToBytes(graph)));
            Prop.ForAll<float[]>(values =>
            {
                Tensor numbers = Tensor.From<float>([0, float.NaN, float.PositiveInfinity, .. values]);
                float[] expected = AffineQuantizer.FakeQuantize(numbers, parameters).Span<float>().ToArray(), actual = runner.Run(new Dictionary<string, Tensor> { ["x"] = numbers }).Values.Single().Span<float>().ToArray();
                return expected.Zip(actual).All(pair => pair.First == pair.Second || (float.IsNaN(pair.First) && float.IsNaN(pair.Second)));
            }).Check(Config.QuickThrowOnFailure.WithMaxTest(60).WithReplay(20260101, 1));
        }
    }

    public static TheoryData<string, string> Grouped => Product(["int2", "uint3", "int4", "uint4", "int8", "uint8", "int16", "fp8e4m3fn", "fp6e3m2", "fp4e2m1", "pot4"]);

    [RuntimeTheory]
    [MemberData(nameof(Grouped))]
    public void Groups_EveryFormat_RunInTheRuntimeAsHere(string format, string layer)
    {
        foreach (WeightContainer container in Enum.GetValues<WeightContainer>())
        {
            foreach (string? activations in new[] { "uint8", null })
            {
                QuantizationResult result = Quantize(Network(layer), format, activations, container, WeightGranularity.PerGroup(7));
                AssertSameInTheRuntime(result.Model);
                WeightReport report = result.Report.Weights.Single(weight => weight.Node == "b");
                Assert.Equal(7, report.Granularity.BlockSize);
                // The picture has fewer channels than a group.
                Assert.Equal(layer == "Conv" ? 0 : 7, result.Report.Weights.Single(weight => weight.Node == "a").Granularity.BlockSize);
                Assert.Contains(result.Report.Warnings, warning => warning.Contains("computes these layers in float, smaller but not faster", StringComparison.Ordinal));
            }
        }
    }

    [Theory]
    [InlineData("int4")]
    [InlineData("fp6e3m2")]
    public void Groups_SmallerOnes_ErrLess(string format)
    {
        double Noise(WeightGranularity granularity) => Quantize(Network("MatMul"), format, null, WeightContainer.Small, granularity).Report.Weights.Single(weight => weight.Node == "a").SignalToNoise;
        Assert.True(Noise(WeightGranularity.PerGroup(4)) > Noise(WeightGranularity.PerGroup(20)));
        Assert.True(Noise(WeightGranularity.PerGroup(20)) > Noise(WeightGranularity.PerTensor));
        Assert.Equal(WeightGranularity.PerGroup(4), WeightGranularity.Parse("group:4"));
    }
}
