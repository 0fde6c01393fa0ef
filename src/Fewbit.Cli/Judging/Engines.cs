using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Runtime;
using Fewbit.Tensors;

namespace Fewbit.Cli.Judging;

/// <summary>Loads models into the engines.</summary>
internal static class Engines
{
    /// <summary>Fewbit's own engine.</summary>
    public static ModelRunner Fewbit(Graph graph) => ModelRunner.From(graph);

    /// <summary>Bytes that the intermediate tensors of one run need in Fewbit's engine.</summary>
    public static long WorkingBytes(Graph graph, IReadOnlyDictionary<string, Tensor> inputs)
    {
        using ModelRunner runner = Fewbit(graph);
        runner.Run(inputs);
        return runner.WorkingBytes;
    }

    /// <summary>ONNX Runtime with all optimizations. Between runs its threads do not spin, or they would slow down the engine that is timed next.</summary>
    public static OnnxRuntimeSession OnnxRuntime(OnnxRuntimeLibrary library, Graph graph, int? threads, string? optimizedModelPath = null) =>
        OnnxRuntimeSession.Load(library, OnnxFile.ToBytes(graph), new()
        {
            Threads = threads ?? 0,
            OptimizedModelPath = optimizedModelPath,
            ConfigEntries = new Dictionary<string, string> { ["session.force_spinning_stop"] = "1" },
        });
}
