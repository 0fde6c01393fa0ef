using System.Diagnostics;
using Fewbit.Benchmarks.Results;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Quantization;
using Fewbit.Reconstruction;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Benchmarks.Reconstruction;

/// <summary>Milliseconds of one step of each unit of CIFAR ResNet-20, and seconds for 1,000 steps of all, on one thread.</summary>
internal static class ReconstructionSpeed
{
    private const int Samples = 256;

    /// <param name="args">Keys of rows; the word "profile" prints where the steps of blocks spend their time.</param>
    public static void Run(string[] args)
    {
        Workers.ThreadCount = 1;
        Graph prepared = Preparation.Prepare(OnnxFile.Load(Machine.Data("cifar10/models/resnet20.onnx")));
        Console.WriteLine(Machine.Processor);
        foreach (ReconstructionRow row in ReconstructionRow.All.Where(row => args.Length == 0 ? row.Key is "brecq-w2" or "qdrop-w2a2" : args.Contains(row.Key))) Measure(prepared, row, args.Contains("profile"));
    }

    private static void Measure(Graph prepared, ReconstructionRow row, bool profiles)
    {
        QuantizerSites sites = QuantizerSites.Find(prepared, row.Options);
        var pass = row.Method.Passes[0] with { Iterations = 1 };
        var clock = new StepClock(profiles);
        var reconstructor = (row.Method with { Passes = [pass] }).CreateReconstructor(prepared, sites, new() { StepObserver = clock.Observe });
        Tensor pictures = ReconstructionPictures.Load(prepared, "calib_lossless_1024.bin").Pictures.Rows(0, Samples);
        reconstructor.Run(new Dictionary<string, Tensor> { [prepared.Inputs[0].Name] = pictures });
        Console.WriteLine($"{row.Title}: {clock.TotalMilliseconds:0} s for 1,000 steps of every unit, at most {clock.MostBytes} bytes allocated by a step");
    }

    private sealed class StepClock(bool profiles)
    {
        public double TotalMilliseconds { get; private set; }

        public long MostBytes { get; private set; }

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
            TotalMilliseconds += times[times.Length / 2];
            Console.WriteLine($"  {unit.Name,-32} {times[times.Length / 2]:0.000} ms a step");
            if (profiles && unit.Layers.Count > 1) Console.WriteLine(training.Plan.Profile().ToTable(14));
        }
    }
}
