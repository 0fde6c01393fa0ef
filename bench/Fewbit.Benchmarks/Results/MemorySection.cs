using System.Globalization;
using System.Text;
using Fewbit.OnnxRuntime;
using Fewbit.Runtime;

namespace Fewbit.Benchmarks.Results;

/// <summary>Peak resident memory of both engines, each measured in child processes of its own.</summary>
internal static class MemorySection
{
    private const int Runs = 3;
    private static readonly CultureInfo Plain = CultureInfo.InvariantCulture;

    public static string Measure()
    {
        var text = new StringBuilder();
        text.AppendLine("""
            Peak resident set (VmHWM) in MB, one thread, each figure from a child process of its own. "Model": the peak after three runs less that of a process that has loaded the engine and no model.
            "Run": the same less that of a process that created the session, or the runner, and did not run; a runner packs its weights at the first run, a session when it is created, so this column judges Fewbit too hard.
            "Plain": Fewbit told to keep no transformed weights (`ExecutionLimits.WinogradBytes` 0), against the model column of ONNX Runtime.
            """).AppendLine();
        text.AppendLine("| network | batch | file MB | ONNX Runtime: model, run | Fewbit: model, run | Fewbit plain: model | ratio model | ratio plain | ratio run |");
        text.AppendLine("|---|---|---|---|---|---|---|---|---|");
        foreach (TimedNetwork network in TimedNetwork.Zoo)
        {
            (double theirModel, double theirRun) = Rise("onnxruntime", network);
            (double model, double run) = Rise("fewbit", network);
            double plain = Rise("fewbit-plain", network).Model;
            string row = string.Create(Plain, $"| {network.Name} | {network.Batch} | {new FileInfo(network.Path).Length / 1e6:F1} | {theirModel:F1}, {theirRun:F1} | {model:F1}, {run:F1} | {plain:F1} | {model / theirModel:F2} | {plain / theirModel:F2} | {run / theirRun:F2} |");
            Console.WriteLine(row);
            text.AppendLine(row);
        }
        return text.ToString();
    }

    /// <summary>What a child process does: loads the engine, or the model too, or runs it too, and prints its peak.</summary>
    public static void RunChild(string engine, string stage, string path, int batch)
    {
        var network = new TimedNetwork("", path, batch);
        if (engine == "onnxruntime") OnnxRuntime(stage, network);
        else Fewbit(stage, network, keepsTransformed: engine == "fewbit");
        Console.WriteLine(Machine.PeakMegabytes.ToString(Plain));
    }

    private static (double Model, double Run) Rise(string engine, TimedNetwork network)
    {
        double idle = Peak(engine, "idle", network), created = Peak(engine, "create", network), ran = Peak(engine, "run", network);
        return (ran - idle, ran - created);
    }

    /// <summary>The median of three processes.</summary>
    private static double Peak(string engine, string stage, TimedNetwork network) =>
        Enumerable.Range(0, 3).Select(_ => double.Parse(ChildProcess.Run("memory-child", engine, stage, network.Path, network.Batch.ToString(Plain)).Trim(), Plain)).Order().ElementAt(1);

    private static void Fewbit(string stage, TimedNetwork network, bool keepsTransformed)
    {
        if (stage == "idle")
        {
            using ModelRunner none = ModelRunner.From(new Graphs.Graph());
            return;
        }
        var options = new ModelRunnerOptions { Threads = 1 };
        if (!keepsTransformed) options = options with { Limits = options.Limits with { WinogradBytes = 0 } };
        using ModelRunner runner = ModelRunner.Load(network.Path, options);
        if (stage == "create") return;
        var inputs = network.Inputs(runner.Inputs);
        for (int i = 0; i < Runs; i++) runner.Run(inputs);
    }

    private static void OnnxRuntime(string stage, TimedNetwork network)
    {
        OnnxRuntimeLibrary library = Machine.Runtime;
        if (stage == "idle") return;
        using OnnxRuntimeSession session = OnnxRuntimeSession.Load(library, network.Path, new() { Threads = 1 });
        if (stage == "create") return;
        var inputs = network.Inputs(session.Inputs);
        for (int i = 0; i < Runs; i++) session.Run(inputs);
    }
}
