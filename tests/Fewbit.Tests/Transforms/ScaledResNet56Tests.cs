using Fewbit.Data;
using Fewbit.Evaluation;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Quantization;
using Fewbit.Runtime;
using Fewbit.Tensors;
using Fewbit.Testing;
using Fewbit.Transforms;

namespace Fewbit.Tests.Transforms;

/// <summary>CIFAR ResNet-56 with its hidden channels scaled by log-uniform factors of 1/16 to 16, which leave its function as it is.</summary>
public sealed class ScaledResNet56Tests
{
    private const string Model = "cifar10/models/resnet56.onnx", Calibration = "cifar10/calib_lossless_1024.bin", Test = "cifar10/test_lossless_846.bin";
    private static readonly Lazy<Graph> s_model = new(() => Preparation.Prepare(OnnxFile.Load(Oracles.Data(Model))));
    private static readonly Lazy<Graph> s_scaled = new(() => ChannelScaling.Scale(s_model.Value, seed: 1, limit: 16));

    private static SampleBatches Batches(string path, int count)
    {
        DataSet data = DataSetReader.Open(Oracles.Data(path));
        return new(SampleSelection.Draw(data, count, 1), [.. s_model.Value.Inputs.Select(input => new ValueInfo(input.Name, input.Type, input.Shape))], Preprocessing.Cifar10, new() { BatchSize = 64 });
    }

    [DataFact(Model)]
    public void Run_ScaledNetwork_EqualizesToTheWeightsOfTheUnscaledOne()
    {
        (Graph plain, Graph scaled) = (s_model.Value.Clone(), s_scaled.Value.Clone());
        TransformReport report = LayerEqualizer.Run(plain, new(), KeptBatches.None);
        LayerEqualizer.Run(scaled, new(), KeptBatches.None);
        // One pair a residual block; each pair stands alone, so that the second sweep finds nothing to do.
        Assert.Equal((27, 2), (report.Changes.Count, report.Sweeps));
        foreach ((Value a, Value b) in plain.Constants.Zip(scaled.Constants).Where(pair => pair.First.Type == ElementType.Float32))
        {
            Assert.Equal(a.Name, b.Name);
            ReadOnlySpan<float> x = a.Constant!.Span<float>(), y = b.Constant!.Span<float>();
            for (int i = 0; i < x.Length; i++) Assert.True(MathF.Abs(x[i] - y[i]) <= 1e-5f * MathF.Abs(x[i]), $"{a.Name} [{i}]: {x[i]} against {y[i]}");
        }
    }

    [DataFact(Model, Calibration, Test)]
    public void Quantize_ScaledNetworkPerTensor_LosesPointsThatEqualizationBringsBack()
    {
        using ModelRunner reference = ModelRunner.From(s_model.Value), scaled = ModelRunner.From(s_scaled.Value);
        ClassificationResult same = Compare(reference, scaled), plain = Judge(), equalized = Judge(new EqualizeLayers());
        Assert.Equal(1, same.Agreement);
        Assert.InRange(plain.Difference, -1, -0.05);
        Assert.InRange(equalized.Difference, -0.005, 0.02);

        ClassificationResult Judge(params ModelTransform[] transforms)
        {
            QuantizationResult result = Quantizer.For(s_scaled.Value).Calibrate(Batches(Calibration, 128).Select(batch => batch.Inputs))
                .RunAsync(new() { WeightGranularity = WeightGranularity.PerTensor, Transforms = transforms }).GetAwaiter().GetResult();
            using ModelRunner quantized = ModelRunner.From(result.Model);
            return Compare(reference, quantized);
        }

        static ClassificationResult Compare(ModelRunner a, ModelRunner b) => ModelEvaluation.Compare(a, b, Batches(Test, 320)).Classification!;
    }
}
