using System.Globalization;
using Fewbit.Calibration;
using Fewbit.Data;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Quantization;
using Fewbit.Transforms;

namespace Fewbit.Benchmarks.Results;

/// <summary>Peak memory of quantizing CIFAR ResNet-20 from a few and from very many JPEG pictures, each figure from a process of its own.</summary>
internal static class CalibrationMemory
{
    private const int Few = 8, Many = 10_000, Processes = 3;
    private static readonly CultureInfo Plain = CultureInfo.InvariantCulture;
    // What runtimeconfig.json of the fewbit command says.
    private static readonly Dictionary<string, string> s_asTheCommandLine = new() { ["DOTNET_TieredPGO"] = "0", ["DOTNET_gcConcurrent"] = "0", ["DOTNET_GCConserveMemory"] = "5" };
    private static readonly string[] s_rules = ["minmax", "moving-average", "percentile", "mse", "entropy", "brecq", "qdrop"];

    public static void Run()
    {
        Console.WriteLine($"Peak resident set (VmHWM) in MB of a process that quantizes CIFAR ResNet-20 to W8A8, median of {Processes}. {Machine.Processor}.");
        Console.WriteLine();
        Console.WriteLine($"| range rule | transforms | {Few} pictures | {Many} pictures | ratio |");
        Console.WriteLine("|---|---|---|---|---|");
        foreach (string rule in s_rules) Print(rule, "none");
        Print("mse", "all");
    }

    private static void Print(string rule, string transforms)
    {
        double few = Peak(rule, transforms, Few), many = Peak(rule, transforms, Many);
        Console.WriteLine(string.Create(Plain, $"| {rule} | {(transforms == "none" ? "" : "equalization, bias absorption, bias correction from data")} | {few:F1} | {many:F1} | {many / few:F3} |"));
    }

    private static double Peak(string rule, string transforms, int pictures) => Enumerable.Range(0, Processes)
        .Select(_ => double.Parse(ChildProcess.RunWith(s_asTheCommandLine, "calibration-memory-child", rule, transforms, pictures.ToString(Plain)).Trim(), Plain)).Order().ElementAt(Processes / 2);

    /// <summary>What a child process does: quantizes, and prints its peak.</summary>
    public static void RunChild(string rule, string transforms, int pictures)
    {
        Graph model = OnnxFile.Load(Machine.Data("cifar10/models/resnet20.onnx"));
        DataSet all = DataSetReader.Open(Machine.Data("cifar10/train_jpegpack_16000.bin"));
        var batches = new SampleBatches(all.Subset([.. Enumerable.Range(0, pictures)], $"{pictures} pictures"), [.. model.Inputs.Select(input => new ValueInfo(input.Name, input.Type, input.Shape))], Preprocessing.Preset("cifar10"), new() { BatchSize = Few });
        var options = new QuantizationOptions
        {
            ActivationRange = RangeRule.Parse(rule),
            Transforms = transforms == "none" ? [] : [new EqualizeLayers(), new AbsorbBiases(), new CorrectBiases { Source = MeanSource.Data }],
        };
        Quantizer.For(model).Calibrate(batches.Select(batch => batch.Inputs)).RunAsync(options).GetAwaiter().GetResult();
        Console.WriteLine(Machine.PeakMegabytes.ToString(Plain));
    }
}
