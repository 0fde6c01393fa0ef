using Fewbit.Graphs;
using Fewbit.OnnxRuntime;
using Fewbit.Onnx;
using Fewbit.Runtime;

namespace Fewbit.Cli.Judging;

/// <summary>Loads models into the engines.</summary>
internal static class Engines
{
    /// <summary>Fewbit's own engine.</summary>
    public static IModelRunner Fewbit(Graph graph) => ModelRunner.From(graph);

    /// <summary>ONNX Runtime with all optimizations.</summary>
    public static OnnxRuntimeSession OnnxRuntime(OnnxRuntimeLibrary library, Graph graph, int? threads, string? optimizedModelPath = null) =>
        OnnxRuntimeSession.Load(library, OnnxFile.ToBytes(graph), new() { Threads = threads ?? 0, OptimizedModelPath = optimizedModelPath });
}
