using System.Collections.Concurrent;
using Fewbit.Data;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Quantization;
using Fewbit.Runtime;
using Fewbit.Targets;
using Fewbit.Testing;
using Fewbit.Verification;

namespace Fewbit.Tests.Targets;

/// <summary>Every preset of ONNX Runtime on real models: exact evaluation against the newest release and the oldest one that models are written for.</summary>
public sealed class BothRuntimesTests(BothRuntimesTests.Models models) : IClassFixture<BothRuntimesTests.Models>
{
    private const string ResNet20 = "cifar10/models/resnet20.onnx", ResNet8 = "cifar10/models/mlperf_tiny_resnet8.onnx", MobileNet = "imagenet/models/mobilenetv2_1.0_dequant.onnx", Cifar = "cifar10/test_lossless_846.bin";

    [BothRuntimesTheory(ResNet20, ResNet8, MobileNet, Cifar)]
    [InlineData(ResNet20, "ort-x64")]
    [InlineData(ResNet20, "ort-x64-no-vnni")]
    [InlineData(ResNet20, "ort-arm")]
    [InlineData(ResNet8, "ort-x64")]
    [InlineData(ResNet8, "ort-x64-no-vnni")]
    [InlineData(ResNet8, "ort-arm")]
    [InlineData(MobileNet, "ort-x64")]
    [InlineData(MobileNet, "ort-x64-no-vnni")]
    public void ExactEvaluation_ModelOfAPreset_EqualsBothReleases(string path, string target)
    {
        QuantizationResult result = models.Quantize(path, target);
        Assert.Empty(result.TargetCheck!.Violations);
        foreach (string library in new[] { Oracles.OnnxRuntimeLibrary!, Oracles.OlderOnnxRuntimeLibrary! })
        {
            OnnxRuntimeLibrary runtime = OnnxRuntimeLibrary.Open(library);
            VerificationResult compared = CodeComparison.Compare(result.Model, graph => ModelRunner.From(graph),
                graph => OnnxRuntimeSession.Load(runtime, OnnxFile.ToBytes(graph), new() { Threads = 2 }), Models.Batches(path).Skip(2));
            // On x64 the runtime leaves those layers of an int8 model float whose input several nodes read: two orders of a sum round differently.
            bool isWhole = result.Fusion.Fused.Count > 0 && target != "ort-arm";
            Assert.True(compared is { UnequalIntegerQuantizers: 0, DifferingLabels: 0 } && (isWhole ? compared is { LocalMaxCodeDifference: 0, ProbesChangeOutputs: false } : compared.LocalMaxCodeDifference <= 1 && compared.LocalDifferingShareBehindFloat <= 1e-3),
                $"ONNX Runtime {runtime.Version}: {compared.UnequalIntegerQuantizers} quantizers differ, by up to {compared.MaxCodeDifference}, locally {compared.LocalMaxCodeDifference} and {compared.LocalDifferingShareBehindFloat:E2} of the codes; {compared.DifferingLabels} labels differ; probes change outputs: {compared.ProbesChangeOutputs}");
            if (isWhole) Assert.True(compared.Codes.Count > 10 && compared.Outputs.Values.All(output => output.MaxDifference <= 1e-5 * output.MaxReference), runtime.Version);
        }
    }

    /// <summary>The models, quantized once for both releases.</summary>
    public sealed class Models
    {
        private readonly ConcurrentDictionary<(string, string), Lazy<QuantizationResult>> _results = new();

        internal QuantizationResult Quantize(string path, string target) => _results.GetOrAdd((path, target), key => new(() => Quantizer.For(Oracles.Data(path))
            .Calibrate(Batches(path).Take(2).Select(batch => batch.Inputs)).RunAsync(new() { Target = ExportTarget.Parse(target), Runtime = RuntimeVersion.All[0] }).GetAwaiter().GetResult())).Value;

        /// <summary>Pictures of CIFAR-10 at the model's size; at that of ImageNet two a batch, else 32.</summary>
        internal static IEnumerable<SampleBatch> Batches(string path)
        {
            Graph graph = OnnxFile.Load(Oracles.Data(path));
            ValueInfo[] inputs = [.. graph.Inputs.Where(input => input.Constant is null).Select(input => new ValueInfo(input.Name, input.Type, input.Shape))];
            bool isLarge = path == MobileNet;
            DataSet data = SampleSelection.Draw(DataSetReader.Open(Oracles.Data(Cifar)), isLarge ? 8 : 128, 1);
            return new SampleBatches(data, inputs, isLarge ? Preprocessing.ImageNet : path == ResNet20 ? Preprocessing.Cifar10 : Preprocessing.ZeroTo255, new() { BatchSize = isLarge ? 2 : 32, Threads = 1 });
        }
    }
}
