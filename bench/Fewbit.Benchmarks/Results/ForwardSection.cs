using System.Globalization;
using System.Text;
using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Passes;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Runtime;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Benchmarks.Results;

/// <summary>Float forward passes beside ONNX Runtime's, and where their time goes.</summary>
internal static class ForwardSection
{
    private const int TurnsEach = 9;
    private static readonly CultureInfo Plain = CultureInfo.InvariantCulture;

    public static string Measure()
    {
        double[] limits = [MachineLimits.Gigaflops(1), MachineLimits.Gigaflops(2)];
        double bandwidth = MachineLimits.GigabytesPerSecond();
        var text = new StringBuilder();
        text.AppendLine(Plain, $"Arithmetic limit, fused multiply-adds on registers: {limits[0]:F0} GFLOP/s on one thread, {limits[1]:F0} on two. Memory: a copy moves {bandwidth:F1} GB/s, read and written, on one thread.");
        text.AppendLine("GFLOP/s count two operations for each multiply-add of the direct sums, whatever the kernel does; a share of the limit can pass 1 where Winograd saves products.").AppendLine();
        text.AppendLine("| network | batch | threads | ONNX Runtime ms | Fewbit ms | ratio | Fewbit GFLOP/s | share of limit |");
        text.AppendLine("|---|---|---|---|---|---|---|---|");
        var profiles = new StringBuilder();
        foreach (TimedNetwork network in TimedNetwork.Zoo.Concat(TimedNetwork.Real.Select(real => real with { Name = $"real: {real.Name}" })))
        {
            Workers.ThreadCount = 1;
            PlanProfile profile = Profile(network);
            foreach (int threads in (int[])[1, 2])
            {
                Comparison times = Compare(network, threads, TurnsEach);
                double gigaflops = 2e-6 * profile.Steps.Sum(step => step.MultiplyAdds) / times.Ours;
                string row = string.Create(Plain, $"| {network.Name} | {network.Batch} | {threads} | {times} | {gigaflops:F0} | {gigaflops / limits[threads - 1]:F2} |");
                Console.WriteLine(row);
                text.AppendLine(row);
            }
            profiles.AppendLine(DescribeSteps(network, profile, limits[0], bandwidth));
        }
        text.AppendLine().AppendLine("Where the time of one thread goes: the kinds of steps that take most of it. \"Arithmetic\" and \"bytes\" are the shares of the network's time that it would need at the two limits above, if every step read and wrote its tensors once from memory.").AppendLine();
        text.AppendLine("| network | kinds of steps: share of the time, GFLOP/s | arithmetic | bytes | next limit |").AppendLine("|---|---|---|---|---|").Append(profiles);
        Workers.ThreadCount = Environment.ProcessorCount;
        return text.ToString();
    }

    /// <summary>Both engines on the same file and input, turn about.</summary>
    public static Comparison Compare(TimedNetwork network, int threads, int rounds)
    {
        using ModelRunner fewbit = ModelRunner.Load(network.Path, new() { Threads = threads });
        Dictionary<string, Tensor> inputs = network.Inputs(fewbit.Inputs);
        Rounds.WarmUp(() => fewbit.Run(inputs));
        return Rounds.Compare(rounds, () => OnnxRuntimeTurn(network.Path, inputs, threads), () => Rounds.Milliseconds(() => fewbit.Run(inputs)));
    }

    /// <summary>One turn of ONNX Runtime in a session of its own.</summary>
    public static double OnnxRuntimeTurn(string path, Dictionary<string, Tensor> inputs, int threads)
    {
        using OnnxRuntimeSession runtime = OnnxRuntimeSession.Load(Machine.Runtime, path, new() { Threads = threads });
        for (int warm = 0; warm < 2; warm++) runtime.Run(inputs);
        return Rounds.Milliseconds(() => runtime.Run(inputs));
    }

    private static PlanProfile Profile(TimedNetwork network)
    {
        Graph graph = OnnxFile.Load(network.Path);
        Passes.PrepareForExecution(graph);
        Dictionary<string, Tensor> inputs = network.Inputs(graph.Inputs.Where(input => input.Constant is null).Select(input => new ValueInfo(input.Name, input.Type, input.Shape)));
        Plan plan = Plan.Compile(graph, new() { Inputs = inputs.ToDictionary(pair => pair.Key, pair => pair.Value.Shape) });
        plan.Run(inputs);
        Rounds.WarmUp(plan.Run);
        return plan.Profile(7);
    }

    private static string DescribeSteps(TimedNetwork network, PlanProfile profile, double limit, double bandwidth)
    {
        double total = profile.Milliseconds;
        IEnumerable<string> kinds = profile.Steps.GroupBy(step => $"{step.OpType} {step.Kernel}").OrderByDescending(group => group.Sum(step => step.Milliseconds)).Take(4).Select(group =>
        {
            double milliseconds = group.Sum(step => step.Milliseconds), gigaflops = 2e-6 * group.Sum(step => step.MultiplyAdds) / milliseconds;
            return string.Create(Plain, $"{group.Key} {100 * milliseconds / total:F0} %{(gigaflops > 0 ? $", {gigaflops:F0}" : "")}");
        });
        double arithmetic = 2e-6 * profile.Steps.Sum(step => step.MultiplyAdds) / limit / total, bytes = 1e-6 * profile.Steps.Sum(step => step.Bytes) / bandwidth / total;
        return string.Create(Plain, $"| {network.Name} | {string.Join("; ", kinds)} | {arithmetic:F2} | {bytes:F2} | {(arithmetic >= bytes ? "FLOP/s" : "bytes/s")} |");
    }
}
