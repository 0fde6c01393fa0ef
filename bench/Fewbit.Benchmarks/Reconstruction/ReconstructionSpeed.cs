using System.Diagnostics;
using System.Globalization;
using System.Text;
using Fewbit.Benchmarks.Results;
using Fewbit.Benchmarks.Training;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Quantization;
using Fewbit.Reconstruction;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Benchmarks.Reconstruction;

/// <summary>Milliseconds of one step of each unit of CIFAR ResNet-20, and seconds for 1,000 steps of all, on one thread, beside PyTorch's training step.</summary>
internal static class ReconstructionSpeed
{
    private const int Samples = 256;
    private const double PyTorchSeconds = 3;

    // The original codes and PyTorch's step of ResNet-20, batch 64, on one machine (Zen 4, one thread): only the quotient carries over to another.
    private const double OriginalWeights = 117, OriginalQDrop = 280, OriginalStep = 198;

    /// <param name="args">The word "profile" prints where the steps of blocks spend their time.</param>
    public static void Run(string[] args)
    {
        Workers.ThreadCount = 1;
        Graph prepared = Preparation.Prepare(OnnxFile.Load(Machine.Data("cifar10/models/resnet20.onnx")));
        using var torch = new PyTorchStep("resnet20:64", threads: 1);
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{Machine.Processor}, one thread; PyTorch {torch.Version}").AppendLine();
        var summary = new StringBuilder();
        foreach ((string key, double original) in ((string, double)[])[("brecq-w2", OriginalWeights), ("qdrop-w2a2", OriginalQDrop)])
        {
            ReconstructionRow row = ReconstructionRow.All.First(row => row.Key == key);
            double before = torch.Milliseconds(PyTorchSeconds);
            StepClock clock = Measure(prepared, row, args.Contains("profile"));
            double step = (before + torch.Milliseconds(PyTorchSeconds)) / 2;
            text.AppendLine(CultureInfo.InvariantCulture, $"{row.Method.Name}, {row.Weights}-bit weights{(row.Activations > 0 ? $", {row.Activations}-bit activations" : "")}:").AppendLine()
                .AppendLine("| unit | ms a step | GFLOP/s |").AppendLine("|---|---|---|").Append(clock.Rows).AppendLine();
            summary.AppendLine(CultureInfo.InvariantCulture, $"| {row.Method.Name} | {clock.Milliseconds:0.0} | {step:0} | {original * step / OriginalStep:0} | {clock.Milliseconds * OriginalStep / step / original:0.00} | {clock.MostBytes} |");
        }
        text.AppendLine("| method | seconds for 1,000 steps of every unit | PyTorch's training step, ms | original code, scaled by it, s | ratio | bytes allocated by a step |").AppendLine("|---|---|---|---|---|---|").Append(summary);
        Console.WriteLine(text);
    }

    private static StepClock Measure(Graph prepared, ReconstructionRow row, bool profiles)
    {
        QuantizerSites sites = QuantizerSites.Find(prepared, row.Options);
        var pass = row.Method.Passes[0] with { Iterations = 1 };
        var clock = new StepClock(profiles);
        var reconstructor = (row.Method with { Passes = [pass] }).CreateReconstructor(prepared, sites, new() { StepObserver = clock.Observe });
        Tensor pictures = ReconstructionPictures.Load(prepared, "calib_lossless_1024.bin").Pictures.Rows(0, Samples);
        reconstructor.Run(new Dictionary<string, Tensor> { [prepared.Inputs[0].Name] = pictures });
        return clock;
    }

    private sealed class StepClock(bool profiles)
    {
        public double Milliseconds { get; private set; }

        public long MostBytes { get; private set; }

        public StringBuilder Rows { get; } = new();

        public void Observe(ReconstructionUnit unit, UnitTraining training, Action<int> step)
        {
            for (int i = 0; i < 20; i++) step(i);
            var times = new double[60];
            for (int i = 0; i < times.Length; i++)
            {
                long before = GC.GetAllocatedBytesForCurrentThread(), start = Stopwatch.GetTimestamp();
                // The last steps, in which the regularizer counts.
                step(900 + i);
                times[i] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
                MostBytes = Math.Max(MostBytes, GC.GetAllocatedBytesForCurrentThread() - before);
            }
            Array.Sort(times);
            double median = times[times.Length / 2];
            Milliseconds += median;
            Rows.AppendLine(CultureInfo.InvariantCulture, $"| {unit.Name} | {median:0.00} | {Operations(unit, training) / median / 1e6:0} |");
            if (profiles && unit.Layers.Count > 1) Console.WriteLine($"{unit}\n{training.Plan.Profile().ToTable(14)}");
        }

        /// <summary>Two operations for each multiply-add of the forward sums, of the weights' gradients, and of the gradients of layers' inputs that the unit computes itself.</summary>
        private static double Operations(ReconstructionUnit unit, UnitTraining training)
        {
            double sum = 0;
            foreach (var step in training.Plan.Profile(1).Steps.Where(step => step.MultiplyAdds > 0))
            {
                Node? layer = unit.Layers.FirstOrDefault(layer => layer.Name == step.Node);
                if (layer is not null) sum += 2.0 * step.MultiplyAdds * (unit.Inputs.Contains(layer.Inputs[0]!) ? 2 : 3);
            }
            return sum;
        }
    }
}
