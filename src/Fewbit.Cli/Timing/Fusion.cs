using Fewbit.Cli.Judging;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Targets;

namespace Fewbit.Cli.Timing;

/// <summary>What the engines make of the QDQ pairs of a model.</summary>
internal static class Fusion
{
    /// <summary>Fewbit's own fusion; null for a model without quantized groups.</summary>
    public static FusionTable? InFewbit(Graph model) => FusionTable.Expected(model) is { Nodes.Count: > 0 } table ? table : null;

    /// <summary>ONNX Runtime's fusion, read from the graph that it writes after its optimizations.</summary>
    public static FusionTable InOnnxRuntime(OnnxRuntimeLibrary library, Graph model)
    {
        string path = Path.Combine(Path.GetTempPath(), $"fewbit-{Guid.NewGuid():N}.onnx");
        try
        {
            Engines.OnnxRuntime(library, model, threads: 1, optimizedModelPath: path).Dispose();
            return FusionTable.Of($"ONNX Runtime {library.Version}", model, OnnxFile.Load(path, new() { UpgradeOpset = false, InferShapes = false }));
        }
        finally
        {
            File.Delete(path);
        }
    }
}
