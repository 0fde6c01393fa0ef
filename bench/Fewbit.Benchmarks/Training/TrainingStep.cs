using System.Diagnostics;
using System.Globalization;
using Fewbit.Benchmarks.Results;
using Fewbit.Graphs.Execution;
using Fewbit.Tensors.Threading;

namespace Fewbit.Benchmarks.Training;

/// <summary>
/// <c>training-step [network|all] [threads|all] [profile] [alone]</c>: a whole training step as one plan, beside PyTorch's in a process of its own, turn about.
/// Prints milliseconds, the ratio, GFLOP/s (three times the forward pass) and bytes allocated; <c>profile</c> adds the time by operator, <c>alone</c> leaves PyTorch out.
/// </summary>
internal static class TrainingStep
{
    private const int TurnsEach = 7;
    private const double SecondsATurn = 1.0;

    public static void Run(string[] arguments)
    {
        string which = arguments.FirstOrDefault() ?? "all";
        int[] threadCounts = arguments.Length > 1 && int.TryParse(arguments[1], CultureInfo.InvariantCulture, out int threads) ? [threads] : [1, 2];
        Console.WriteLine($"{Machine.Processor}");
        Console.WriteLine("| network | batch | threads | PyTorch ms | Fewbit ms | ratio | GFLOP/s | bytes a step | arena MB |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|");
        foreach (TrainingNetwork network in TrainingNetwork.All.Where(network => which == "all" || network.Name == which))
        {
            foreach (int count in threadCounts) Measure(network, count, arguments.Contains("profile"), arguments.Contains("alone"));
        }
    }

    private static void Measure(TrainingNetwork network, int threads, bool profiles, bool alone)
    {
        Workers.ThreadCount = threads;
        StepGraph step = StepGraph.Compile(network);
        step.Plan.Run(step.Inputs);
        for (int i = 0; i < 3; i++) step.Plan.Run();
        long before = GC.GetAllocatedBytesForCurrentThread();
        step.Plan.Run();
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Comparison times = alone ? Alone(step) : Compare(network, threads, step);
        double gigaflops = 6e-6 * network.ForwardMultiplyAdds / times.Ours;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {network.Name} | {network.Batch} | {threads} | {times} | {gigaflops:F0} | {allocated} | {step.Plan.ArenaBytes / 1e6:F0} |"));
        if (profiles) Console.WriteLine(step.Plan.Profile(5).ToTable(30));
    }

    private static Comparison Compare(TrainingNetwork network, int threads, StepGraph step)
    {
        using var theirs = new PyTorchStep(network.Name, threads);
        theirs.Milliseconds(SecondsATurn);
        return Rounds.Compare(TurnsEach, () => theirs.Milliseconds(SecondsATurn), () => Milliseconds(step.Plan));
    }

    private static Comparison Alone(StepGraph step) => new(double.NaN, Rounds.Median(Enumerable.Range(0, TurnsEach).Select(_ => Milliseconds(step.Plan))), double.NaN);

    /// <summary>Milliseconds of a step over one turn, after a step that is not counted.</summary>
    private static double Milliseconds(Plan plan)
    {
        plan.Run();
        long start = Stopwatch.GetTimestamp();
        int steps = 0;
        do
        {
            plan.Run();
            steps++;
        }
        while (Stopwatch.GetElapsedTime(start).TotalSeconds < SecondsATurn);
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds / steps;
    }
}
