using Fewbit.Data;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Quantization;
using Fewbit.Tensors;
using Fewbit.Testing;
using Fewbit.Verification;
using Xunit.Abstractions;

namespace Fewbit.Runtime.Tests.Quantized;

/// <summary>Real models, quantized, code for code against ONNX Runtime.</summary>
public class WholeModelTests(ITestOutputHelper output)
{
    private const int CalibrationBatches = 4;

    [RealModelTheory(needsRuntime: true)]
    [InlineData("cifar10/models/resnet20.onnx", 32, 2)]
    [InlineData("cifar10/models/resnet56.onnx", 32, 2)]
    [InlineData("cifar10/models/mlperf_tiny_resnet8.onnx", 32, 2)]
    [InlineData("imagenet/models/squeezenet1_1.onnx", 4, 16)]
    [InlineData("imagenet/models/tinydarknet.onnx", 4, 16)]
    [InlineData("imagenet/models/mobilenetv2_1.0_dequant.onnx", 4, 16)]
    [InlineData("mlperf_tiny/ad_autoencoder.onnx", 32, 2)]
    [InlineData("mlperf_tiny/kws_dscnn.onnx", 32, 2)]
    [InlineData("mlperf_tiny/vww_mobilenet_0.25_96.onnx", 16, 4)]
    [InlineData("super_resolution/models/imdn_rtc_x2.onnx", 4, 16)]
    [InlineData("super_resolution/models/imdn_x4.onnx", 4, 16)]
    [InlineData("super_resolution/models/vdsr_y.onnx", 4, 16)]
    [InlineData("super_resolution/models/rfdn_x4.onnx", 4, 16)]
    [InlineData("detection/models/FastestDet_352.onnx", 1, 64)]
    [InlineData("detection/models/nanodet_m_416.onnx", 1, 64)]
    [InlineData("detection/models/ultraface_rfb_320.onnx", 1, 64)]
    [InlineData("text/stories260K/stories260K.onnx", 8, 8)]
    public Task QuantizedModel_InExactEvaluation_GivesTheCodesOfOnnxRuntime(string model, int batch, int batches) => Compare(model, batch, batches, new());

    [RealModelTheory(needsRuntime: true)]
    [InlineData("cifar10/models/resnet20.onnx", 4, 4)]
    [InlineData("cifar10/models/resnet20.onnx", 2, 6)]
    [InlineData("mlperf_tiny/vww_mobilenet_0.25_96.onnx", 4, 4)]
    public Task LowBitModel_InExactEvaluation_GivesTheCodesOfOnnxRuntime(string model, int weightBits, int activationBits) =>
        Compare(model, 16, 4, new() { Weights = new IntegerFormat(weightBits, IsSigned: true), Activations = new IntegerFormat(activationBits, IsSigned: false) });

    /// <summary>Normalizations and attention stay float. Reading codes makes the runtime keep images of mnist_unet_ln with channels first, which is another order of its means.</summary>
    [RealModelTheory(needsRuntime: true)]
    [InlineData("diffusion/mnist_unet_gn_attn.onnx", false)]
    [InlineData("diffusion/mnist_unet_ln.onnx", true)]
    public Task DiffusionModel_InExactEvaluation_GivesTheCodesOfOnnxRuntime(string model, bool probesChangeOutputs) => Compare(model, 4, 16, new(), probesChangeOutputs);

    private async Task Compare(string model, int batch, int batches, QuantizationOptions options, bool probesChangeOutputs = false)
    {
        Graph graph = OnnxFile.Load(Oracles.Data(model));
        var random = new SeededRandom(7);
        SampleBatch[] samples = [.. Enumerable.Range(0, CalibrationBatches + batches).Select(i => new SampleBatch(Feeds(graph, batch, ref random), batch, i * batch, null))];
        QuantizationResult result = await Quantizer.For(graph).Calibrate(samples.Take(CalibrationBatches).Select(sample => sample.Inputs)).RunAsync(options);
        OnnxRuntimeLibrary library = OnnxRuntimeLibrary.Open(Oracles.OnnxRuntimeLibrary);
        VerificationResult compared = CodeComparison.Compare(result.Model, quantized => ModelRunner.From(quantized),
            quantized => OnnxRuntimeSession.Load(library, OnnxFile.ToBytes(quantized), new() { Threads = 2 }), samples.Skip(CalibrationBatches));
        CodeDifference[] unequal = [.. compared.Codes.Where(codes => codes.IsIntegerPath && codes.Differing > 0)];
        output.WriteLine($"{model}: {compared.Codes.Count} quantizers, {compared.Codes.Count(codes => codes.IsIntegerPath)} on integer paths of which {unequal.Length} differ; "
            + $"behind float nodes {compared.DifferingShareBehindFloat:E2} of the codes differ, by at most {compared.MaxCodeDifference}; probes change outputs: {compared.ProbesChangeOutputs}; labels {compared.DifferingLabels} of {compared.Labels}");
        foreach (CodeDifference codes in compared.Codes.Where(codes => codes.Differing > 0)) output.WriteLine($"  {codes.Name}: {codes.Differing} of {codes.Count} differ, by at most {codes.MaxDifference}{(codes.IsIntegerPath ? ", on an integer path" : "")}");
        Assert.Empty(unequal);
        Assert.InRange(compared.DifferingShareBehindFloat, 0, 1e-4);
        Assert.InRange(compared.MaxCodeDifference, 0, 1);
        Assert.Equal(0, compared.DifferingLabels);
        Assert.Equal(probesChangeOutputs, compared.ProbesChangeOutputs);
        if (!probesChangeOutputs) return;
        using var engine = ModelRunner.From(result.Model);
        using OnnxRuntimeSession session = OnnxRuntimeSession.Load(library, OnnxFile.ToBytes(result.Model), new() { Threads = 2 });
        foreach (SampleBatch sample in samples.Skip(CalibrationBatches)) ExpectClose(session.Run(sample.Inputs), engine.Run(sample.Inputs));
    }

    /// <summary>Without probes only the outputs tell: a single differing code would show, the last float layer's rounding is allowed.</summary>
    private static void ExpectClose(IReadOnlyDictionary<string, Tensor> expected, IReadOnlyDictionary<string, Tensor> actual)
    {
        foreach ((string name, Tensor tensor) in expected) Assert.All(tensor.Span<float>().ToArray().Zip(actual[name].Span<float>().ToArray()), pair => Assert.Equal(pair.First, pair.Second, 2e-6f));
    }

    /// <summary>Smooth random fields for pictures, so that a network sees structure as in a photograph; random numbers for the rest.</summary>
    private static Dictionary<string, Tensor> Feeds(Graph graph, int batch, ref SeededRandom random)
    {
        var feeds = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (Value input in graph.Inputs.Where(input => input.Constant is null))
        {
            long[] dims = [.. input.Shape!.Select((dim, axis) => dim.IsKnown ? dim.Length : axis == 0 ? batch : dim.Symbol == "T" ? 24L : 48L)];
            Tensor tensor = Tensor.Allocate(input.Type, new(dims));
            if (input.Type == ElementType.Int64)
            {
                foreach (ref long value in tensor.Span<long>()) value = random.NextInt(110);
            }
            else
            {
                Smooth(tensor, ref random);
            }
            feeds.Add(input.Name, tensor);
        }
        return feeds;
    }

    private static void Smooth(Tensor tensor, ref SeededRandom random)
    {
        Span<float> values = tensor.Span<float>();
        float state = 0;
        for (int i = 0; i < values.Length; i++)
        {
            state = 0.9f * state + 0.3f * (float)random.NextNormal();
            values[i] = tensor.Rank == 4 ? Math.Clamp(0.5f + 0.5f * state, 0, 1) : state;
        }
    }
}
