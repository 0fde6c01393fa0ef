using System.Globalization;
using System.Text;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Quantization;
using Fewbit.Runtime;
using Fewbit.Tensors;

namespace Fewbit.Benchmarks.Results;

/// <summary>The exact forward pass of W8A8 models beside ONNX Runtime's int8.</summary>
internal static class Int8Section
{
    private const int TurnsEach = 9, CalibrationSamples = 8;

    public static string Measure()
    {
        var text = new StringBuilder();
        text.AppendLine("Default options (uint8 activations, per-channel int8 weights), calibrated on random input; both sides run the exported file. Fewbit evaluates exactly, code for code; a packed low-bit runtime is not part of this table.").AppendLine();
        text.AppendLine("| network | threads | ONNX Runtime ms | Fewbit ms | ratio |");
        text.AppendLine("|---|---|---|---|---|");
        foreach (string name in (string[])["resnet18", "mobilenetv2"])
        {
            TimedNetwork network = TimedNetwork.FromZoo(name, 1), quantized = network with { Path = Path.ChangeExtension(network.Path, ".int8.onnx") };
            Quantize(network, quantized.Path);
            foreach (int threads in (int[])[1, 2])
            {
                string row = string.Create(CultureInfo.InvariantCulture, $"| {name} | {threads} | {ForwardSection.Compare(quantized, threads, TurnsEach)} |");
                Console.WriteLine(row);
                text.AppendLine(row);
            }
        }
        return text.ToString();
    }

    private static void Quantize(TimedNetwork network, string path)
    {
        Graph graph = OnnxFile.Load(network.Path);
        using ModelRunner runner = ModelRunner.From(graph);
        IEnumerable<IReadOnlyDictionary<string, Tensor>> samples = Enumerable.Range(1, CalibrationSamples).Select(seed => network.Inputs(runner.Inputs, (ulong)seed));
        Quantizer.For(graph).Calibrate(samples).RunAsync().GetAwaiter().GetResult().Save(path);
    }
}
