using System.Diagnostics;
using System.Globalization;
using System.Text;
using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Quantization;
using Fewbit.Runtime;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Benchmarks.Results;

/// <summary>Calibration with streaming ranges of least squared error, beside the float forward pass of the same samples.</summary>
internal static class CalibrationSection
{
    private const int TurnsEach = 5;

    public static string Measure()
    {
        var text = new StringBuilder();
        text.AppendLine("Calibration runs the float network with the same kernels, counts every value that will carry codes into a histogram as it is computed, and at the end searches each range (8 bits). Both sides see the same samples; the search is in the time.").AppendLine();
        text.AppendLine("| network | samples x batch | threads | forward ms | calibration ms | of that range search ms | ratio |");
        text.AppendLine("|---|---|---|---|---|---|---|");
        foreach ((TimedNetwork network, int batches) in ((TimedNetwork, int)[])[(TimedNetwork.FromZoo("resnet18", 1), 32), (TimedNetwork.FromZoo("resnet50", 1), 16), (TimedNetwork.FromZoo("mobilenetv2", 1), 64), (TimedNetwork.Zoo[^1], 8)])
        {
            foreach (int threads in (int[])[1, 2])
            {
                string row = Row(network, batches, threads);
                Console.WriteLine(row);
                text.AppendLine(row);
            }
        }
        Workers.ThreadCount = Environment.ProcessorCount;
        return text.ToString();
    }

    private static string Row(TimedNetwork network, int batches, int threads)
    {
        using ModelRunner runner = ModelRunner.Load(network.Path, new() { Threads = threads });
        Dictionary<string, Tensor>[] samples = [.. Enumerable.Range(1, batches).Select(seed => network.Inputs(runner.Inputs, (ulong)seed))];
        Graph prepared = Preparation.Prepare(OnnxFile.Load(network.Path));
        string[] observed = [.. CalibratedModel.Observed(prepared)];
        double search = 0;
        void Forward()
        {
            foreach (Dictionary<string, Tensor> sample in samples) runner.Run(sample);
        }
        Forward();
        // Compiled before the time is taken, as the forward pass is.
        var calibrator = new Calibrator(prepared, observed, RangeRule.MeanSquaredError);
        void Calibrate()
        {
            foreach (Dictionary<string, Tensor> sample in samples) calibrator.Observe(sample);
            long start = Stopwatch.GetTimestamp();
            foreach (RangeEstimator estimator in calibrator.Estimators.Values) estimator.Estimate(new IntegerFormat(8, false), QuantizationScheme.Affine);
            search = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        }
        Calibrate();
        Comparison times = Rounds.Compare(TurnsEach, () => Once(Forward), () => Once(Calibrate));
        return string.Create(CultureInfo.InvariantCulture, $"| {network.Name} | {batches} x {network.Batch} | {threads} | {times.Theirs:F1} | {times.Ours:F1} | {search:F1} | {times.Ratio:F2} |");
    }

    private static double Once(Action run)
    {
        long start = Stopwatch.GetTimestamp();
        run();
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }
}
