using System.Diagnostics;
using System.Globalization;
using System.Text;
using Fewbit.Graphs;
using Fewbit.OnnxRuntime;
using Fewbit.Runtime;
using Fewbit.Tensors;

namespace Fewbit.Benchmarks.Results;

/// <summary>Times the float forward pass of the classifiers in Fewbit and in ONNX Runtime, turn by turn in one run, and writes docs/results/speed.md.</summary>
internal static class SpeedResults
{
    private const int Rounds = 11;

    public static void Run()
    {
        CultureInfo plain = CultureInfo.InvariantCulture;
        var page = new StringBuilder();
        page.AppendLine("# Speed of the float forward pass").AppendLine();
        page.AppendLine("Made by `dotnet run -c Release --project bench/Fewbit.Benchmarks -- speed-results`. Both engines take turns in one process on the same input, ONNX Runtime with a session of its own each round, since the threads of an idle one spin; the ratio is the median over rounds of Fewbit's time divided by ONNX Runtime's (lower is better).");
        page.AppendLine(plain, $"Machine: {Machine.Description}.").AppendLine();
        page.AppendLine("| model | batch | threads | ONNX Runtime ms | Fewbit ms | ratio |");
        page.AppendLine("|---|---|---|---|---|---|");
        foreach ((string model, int batch) in ((string, int)[])[
            ("cifar10/models/resnet20", 64), ("cifar10/models/resnet56", 64), ("cifar10/models/mlperf_tiny_resnet8", 64), ("cifar10/models/resnet20", 1),
            ("imagenet/models/squeezenet1_1", 1), ("imagenet/models/tinydarknet", 1), ("imagenet/models/mobilenetv2_1.0_dequant", 1)])
        {
            foreach (int threads in (int[])[1, 2])
            {
                (double theirs, double ours, double ratio) = Measure(Machine.Data(model + ".onnx"), batch, threads);
                string row = string.Create(plain, $"| {Path.GetFileName(model)} | {batch} | {threads} | {theirs:F2} | {ours:F2} | {ratio:F2} |");
                Console.WriteLine(row);
                page.AppendLine(row);
            }
        }
        Machine.WritePage("speed.md", page.ToString());
    }

    private static (double Theirs, double Ours, double Ratio) Measure(string path, int batch, int threads)
    {
        using ModelRunner fewbit = ModelRunner.Load(path, new() { Threads = threads });
        ValueInfo input = fewbit.Inputs[0];
        Tensor x = Tensor.AllocateUninitialized(ElementType.Float32, input.Shape!.With(0, batch).ToShape());
        var random = new SeededRandom(1);
        foreach (ref float value in x.Span<float>()) value = (float)random.NextNormal();
        var inputs = new Dictionary<string, Tensor> { [input.Name] = x };
        double[] theirs = new double[Rounds], ours = new double[Rounds], ratios = new double[Rounds];
        Machine.WarmUp(() => fewbit.Run(inputs));
        for (int round = 0; round < Rounds; round++)
        {
            // A session of its own for each round: threads of an idle one spin, and would slow down the other engine.
            using (OnnxRuntimeSession runtime = OnnxRuntimeSession.Load(Machine.Runtime, path, new() { Threads = threads }))
            {
                for (int warm = 0; warm < 3; warm++) runtime.Run(inputs);
                theirs[round] = Milliseconds(() => runtime.Run(inputs));
            }
            ours[round] = Milliseconds(() => fewbit.Run(inputs));
            ratios[round] = ours[round] / theirs[round];
        }
        return (Median(theirs), Median(ours), Median(ratios));
    }

    private static double Milliseconds(Action run)
    {
        run();
        long start = Stopwatch.GetTimestamp();
        int runs = 0;
        do
        {
            run();
            runs++;
        }
        while (Stopwatch.GetElapsedTime(start).TotalMilliseconds < 60);
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds / runs;
    }

    private static double Median(double[] values) => values.Order().ElementAt(values.Length / 2);
}
