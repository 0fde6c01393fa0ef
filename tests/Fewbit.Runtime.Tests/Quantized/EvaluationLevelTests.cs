using System.Diagnostics;
using Fewbit.Data;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Quantization;
using Fewbit.Tensors;
using Fewbit.Testing;
using Fewbit.Verification;
using Xunit.Abstractions;

namespace Fewbit.Runtime.Tests.Quantized;

/// <summary>A network on real pictures: exact evaluation against the runtime's fused run, evaluation as written against its run without optimizations, and the runtime's two levels against each other.</summary>
public class EvaluationLevelTests(ITestOutputHelper output)
{
    private const int RecordBytes = 3073, Pixels = 1024, Batch = 94; // 846 = 9 * 94
    private static readonly float[] Mean = [0.485f, 0.456f, 0.406f], Deviation = [0.229f, 0.224f, 0.225f];

    [RuntimeTheory("cifar10/test_lossless_846.bin", "cifar10/calib_lossless_1024.bin")]
    [InlineData("resnet20.onnx", false)]
    [InlineData("mlperf_tiny_resnet8.onnx", true)]
    public async Task RealPictures_InEveryEvaluation_AgreeWithTheRuntime(string model, bool isUnscaled)
    {
        Graph graph = OnnxFile.Load(Oracles.Data($"cifar10/models/{model}"));
        QuantizationResult result = await Quantizer.For(graph).Calibrate(Pictures("calib_lossless_1024.bin", isUnscaled).Take(5).Select(batch => batch.Inputs)).RunAsync();
        SampleBatch[] test = [.. Pictures("test_lossless_846.bin", isUnscaled)];
        VerificationResult exact = Compare("exact, against all optimizations", result.Model, Fewbit(true), Runtime(GraphOptimizationLevel.All), test);
        VerificationResult written = Compare("as written, against no optimizations", result.Model, Fewbit(false), Runtime(GraphOptimizationLevel.Off), test);
        VerificationResult levels = Compare("the runtime without optimizations, against all", result.Model, Runtime(GraphOptimizationLevel.Off), Runtime(GraphOptimizationLevel.All), test);
        Assert.Equal(846, exact.Samples);
        Assert.Equal(0, exact.DifferingShare);
        Assert.Equal(0, exact.DifferingLabels);
        Assert.False(exact.ProbesChangeOutputs);
        // Two orders of a float sum: no engine equals another here, but ours is nearer to the runtime than its own two levels are to each other.
        Assert.InRange(written.DifferingShare, 0, levels.DifferingShare);
    }

    private static Func<Graph, IModelRunner> Fewbit(bool isExact) => model => ModelRunner.From(model, new() { FusesQuantized = isExact });

    private static Func<Graph, IModelRunner> Runtime(GraphOptimizationLevel level) => model =>
        OnnxRuntimeSession.Load(OnnxRuntimeLibrary.Open(Oracles.OnnxRuntimeLibrary), OnnxFile.ToBytes(model), new() { Threads = 2, OptimizationLevel = level });

    private VerificationResult Compare(string what, Graph model, Func<Graph, IModelRunner> first, Func<Graph, IModelRunner> second, SampleBatch[] batches)
    {
        long start = Stopwatch.GetTimestamp();
        VerificationResult result = CodeComparison.Compare(model, first, second, batches);
        output.WriteLine($"{what}: {result.Samples} pictures, {result.Codes.Count} quantizers, {result.Codes.Sum(codes => codes.Count):N0} codes, "
            + $"share that differs {result.DifferingShare:E1}, by at most {result.MaxCodeDifference}, quantizers with a difference {result.Codes.Count(codes => codes.Differing > 0)}, labels {result.DifferingLabels}; {Stopwatch.GetElapsedTime(start).TotalSeconds:F1} s");
        return result;
    }

    private static IEnumerable<SampleBatch> Pictures(string file, bool isUnscaled)
    {
        byte[] records = File.ReadAllBytes(Oracles.Data($"cifar10/{file}"));
        for (int first = 0; first + Batch <= records.Length / RecordBytes; first += Batch)
        {
            Tensor tensor = Tensor.Allocate(ElementType.Float32, [Batch, 3, 32, 32]);
            Span<float> values = tensor.Span<float>();
            for (int i = 0; i < values.Length; i++)
            {
                int picture = i / (3 * Pixels), channel = i / Pixels % 3;
                float value = records[(first + picture) * RecordBytes + 1 + i % (3 * Pixels)];
                values[i] = isUnscaled ? value : (value / 255 - Mean[channel]) / Deviation[channel];
            }
            yield return new(new Dictionary<string, Tensor> { ["input"] = tensor }, Batch, first, null);
        }
    }
}
