using Fewbit.Data;
using Fewbit.Evaluation;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Quantization;
using Fewbit.Runtime;
using Fewbit.Testing;
using Fewbit.Verification;

namespace Fewbit.Tests.Quantization;

/// <summary>The pretrained ResNet-20 of CIFAR-10, quantized once for all tests.</summary>
public sealed class ResNet20Fixture
{
    internal const string Model = "cifar10/models/resnet20.onnx", Calibration = "cifar10/calib_lossless_1024.bin", Test = "cifar10/test_lossless_846.bin";
    private readonly Lazy<Graph> _float = new(() => OnnxFile.Load(Oracles.Data(Model)));
    private readonly Lazy<QuantizationResult> _result;

    public ResNet20Fixture() => _result = new(() => Quantizer.For(Float).Calibrate(Batches(Calibration, 256).Select(batch => batch.Inputs)).RunAsync().GetAwaiter().GetResult());

    internal Graph Float => _float.Value;

    internal QuantizationResult Result => _result.Value;

    internal IEnumerable<SampleBatch> Batches(string path, int count, int size = 64)
    {
        DataSet data = DataSetReader.Open(Oracles.Data(path));
        ValueInfo[] inputs = [.. Float.Inputs.Select(input => new ValueInfo(input.Name, input.Type, input.Shape))];
        return new SampleBatches(SampleSelection.Draw(data, Math.Min(count, data.Count), 1), inputs, Preprocessing.Cifar10, new() { BatchSize = size });
    }
}

public sealed class WholeModelTests(ResNet20Fixture model) : IClassFixture<ResNet20Fixture>
{
    private static readonly Lazy<OnnxRuntimeLibrary> s_library = new(() => OnnxRuntimeLibrary.Open(Oracles.OnnxRuntimeLibrary));

    private static OnnxRuntimeSession Load(Graph graph) => OnnxRuntimeSession.Load(s_library.Value, OnnxFile.ToBytes(graph));

    [RuntimeFact(ResNet20Fixture.Model, ResNet20Fixture.Calibration, ResNet20Fixture.Test)]
    public void ResNet20_W8A8_LosesAtMostHalfAPointInTheRuntime()
    {
        using OnnxRuntimeSession reference = Load(model.Float), quantized = Load(model.Result.Model);
        ClassificationResult result = ModelEvaluation.Compare(reference, quantized, model.Batches(ResNet20Fixture.Test, 846)).Classification!;
        Assert.Equal(846, result.Labelled);
        Assert.Equal(0.9173, result.ReferenceTop1, 4);
        Assert.InRange(result.Difference, -0.005, 0.01);
        Assert.InRange(result.Agreement, 0.985, 1);
    }

    [RuntimeFact(ResNet20Fixture.Model, ResNet20Fixture.Calibration)]
    public void ResNet20_W8A8_EveryLayerIsFused()
    {
        IReadOnlyList<string> nodes = SmallGraphs.RuntimeNodes(model.Result.Model, out _);
        Assert.Equal(19, nodes.Count(node => node.EndsWith("QLinearConv", StringComparison.Ordinal)));
        Assert.Equal(9, nodes.Count(node => node == "com.microsoft.QLinearAdd"));
        Assert.Contains("com.microsoft.QLinearGlobalAveragePool", nodes);
        Assert.Contains("com.microsoft.QGemm", nodes);
        Assert.DoesNotContain("DequantizeLinear", nodes);
        Assert.All(model.Result.Report.Nodes, node => Assert.NotEqual(NodeOutcome.Float, node.Outcome));
    }

    [RuntimeFact(ResNet20Fixture.Model, ResNet20Fixture.Calibration, ResNet20Fixture.Test)]
    public void ResNet20_W8A8_FewbitAndTheRuntimeAgreeOnEveryCode()
    {
        VerificationResult result = CodeComparison.Compare(model.Result.Model, graph => ModelRunner.From(graph), Load, model.Batches(ResNet20Fixture.Test, 64, 32));
        Assert.Equal(64, result.Samples);
        Assert.Equal(model.Result.Report.Tensors.Count(tensor => !tensor.Name.Contains("Pad", StringComparison.Ordinal)), result.Codes.Count);
        Assert.All(result.Codes, codes => Assert.True(codes.IsIntegerPath, codes.Name));
        Assert.Equal((0, 0, 0L, false), (result.UnequalIntegerQuantizers, result.LocalMaxCodeDifference, result.DifferingLabels, result.ProbesChangeOutputs));
    }

    [DataFact(ResNet20Fixture.Model, ResNet20Fixture.Calibration, ResNet20Fixture.Test)]
    public void Compare_ResNet20_RanksLayersAndNamesThemForExclusion()
    {
        ComparisonReport report = ModelComparison.Compare(model.Float, model.Result.Model, model.Batches(ResNet20Fixture.Test, 16, 16));
        Assert.Equal(model.Result.Model.Nodes.Count(node => node.Is("DequantizeLinear") && node.Inputs[0]!.Constant is null), report.Layers.Count);
        Assert.InRange(report.SignalToNoise, 20, 45);
        Assert.All(report.Layers, layer => Assert.InRange(layer.Cosine, 0.98, 1));
        // 19 convolutions, 9 sums, pool and Gemm; a single quantized node harms less than all together.
        Assert.Equal(30, report.Sensitivity.Count);
        Assert.All(report.Sensitivity, node => Assert.True(node.SignalToNoise > report.SignalToNoise, node.Node));
        Assert.NotEmpty(report.Exclude);
        ComparisonReport read = ComparisonReport.FromJson(report.ToJson());
        Assert.Equal(report.Exclude, read.Exclude);
        Assert.Equal(report.Sensitivity, read.Sensitivity);
        Assert.Throws<InvalidDataException>(() => ComparisonReport.FromJson("[1]"));

        QuantizationResult without = Quantizer.For(model.Float).Calibrate(model.Batches(ResNet20Fixture.Calibration, 64).Select(batch => batch.Inputs))
            .RunAsync(new() { Exclude = [.. report.Exclude] }).GetAwaiter().GetResult();
        Assert.All(report.Exclude, name => Assert.Equal("excluded", without.Node(name).Reason));
    }
}
