using Fewbit.Benchmarks.Reconstruction;
using Fewbit.Benchmarks.Results;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Quantization;
using Fewbit.Tensors;
using Fewbit.Transforms;

namespace Fewbit.Benchmarks.Transforms;

/// <summary>Scales the hidden channels of CIFAR ResNet-56 by random factors that leave its function as it is, and prints what 8 bits make of it with and without equalization.</summary>
internal static class EqualizationProof
{
    private const string CalibrationFile = "calib_lossless_1024.bin";
    private static readonly string[] s_testFiles = ["test_lossless_846.bin", "test_jpeg_10000.bin"];

    /// <param name="args">Seeds of the factors; 1, 2 and 3 where none is given. A file name ends with .bin and replaces the test files.</param>
    public static void Run(string[] args)
    {
        ulong[] seeds = [.. args.Where(arg => !arg.EndsWith(".bin", StringComparison.Ordinal)).Select(ulong.Parse)];
        string[] files = [.. args.Where(arg => arg.EndsWith(".bin", StringComparison.Ordinal))];
        if (files.Length == 0) files = s_testFiles;
        Graph model = OnnxFile.Load(Machine.Data("cifar10/models/resnet56.onnx"));
        (Tensor Pictures, int[] Labels)[] tests = [.. files.Select(file => ReconstructionPictures.Load(model, file))];
        Console.WriteLine($"| ResNet-56, W8A8 | {string.Join(" | ", files)} |");
        Console.WriteLine($"|---|{string.Concat(Enumerable.Repeat("---:|", files.Length))}");
        Print("float", model);
        foreach (ulong seed in (ulong[])[0, .. seeds.Length > 0 ? seeds : [1, 2, 3]])
        {
            string name = seed == 0 ? "as it is" : $"scaled, seed {seed}";
            Graph network = seed == 0 ? model : ChannelScaling.Scale(model, seed, 16);
            if (seed > 0) Print($"{name}, float", network);
            foreach (WeightGranularity granularity in (WeightGranularity[])[WeightGranularity.PerChannel, WeightGranularity.PerTensor])
            {
                Print($"{name}, {granularity}", Quantize(network, granularity));
                Print($"{name}, {granularity}, equalized", Quantize(network, granularity, new EqualizeLayers()));
                Print($"{name}, {granularity}, biases corrected", Quantize(network, granularity, new CorrectBiases()));
                Print($"{name}, {granularity}, equalized, biases corrected", Quantize(network, granularity, new EqualizeLayers(), new CorrectBiases()));
            }
        }

        Graph Quantize(Graph network, WeightGranularity granularity, params ModelTransform[] transforms)
        {
            (Tensor pictures, _) = ReconstructionPictures.Load(model, CalibrationFile);
            IEnumerable<IReadOnlyDictionary<string, Tensor>> batches = Enumerable.Range(0, 4).Select(batch => new Dictionary<string, Tensor> { ["input"] = pictures.Rows(batch * 64, 64) });
            QuantizationResult result = Quantizer.For(network).Calibrate(batches).RunAsync(new() { WeightGranularity = granularity, Transforms = transforms }).GetAwaiter().GetResult();
            foreach (TransformReport report in result.Report.Transforms) Console.Error.WriteLine(report);
            return result.Model;
        }

        void Print(string name, Graph network)
        {
            IEnumerable<string> accuracies = tests.Select(test => ReconstructionPictures.Classes(ReconstructionPictures.Scores(network, test.Pictures)).Zip(test.Labels, (found, label) => found == label).Average(isRight => isRight ? 100.0 : 0))
                .Select(percent => FormattableString.Invariant($"{percent:0.00}"));
            Console.WriteLine($"| {name} | {string.Join(" | ", accuracies)} |");
        }
    }
}
