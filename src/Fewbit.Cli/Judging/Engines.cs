using Fewbit.Graphs;
using Fewbit.OnnxRuntime;
using Fewbit.Onnx;
using Fewbit.Runtime;
using Fewbit.Tensors;

namespace Fewbit.Cli.Judging;

/// <summary>Loads models into the engines.</summary>
internal static class Engines
{
    /// <summary>Fewbit's own engine.</summary>
    public static IModelRunner Fewbit(Graph graph) => ModelRunner.From(graph);

    /// <summary>Fewbit's own engine, which returns the codes of every quantizer beside the outputs.</summary>
    public static IModelRunner FewbitWithCodes(Graph graph) => new WithCodes(ModelRunner.From(graph, new() { KeepsCodes = true }));

    /// <summary>ONNX Runtime with all optimizations.</summary>
    public static OnnxRuntimeSession OnnxRuntime(OnnxRuntimeLibrary library, Graph graph, int? threads, string? optimizedModelPath = null) =>
        OnnxRuntimeSession.Load(library, OnnxFile.ToBytes(graph), new() { Threads = threads ?? 0, OptimizedModelPath = optimizedModelPath });

    private sealed class WithCodes(ModelRunner runner) : IModelRunner
    {
        public IReadOnlyList<ValueInfo> Inputs => runner.Inputs;
        public IReadOnlyList<ValueInfo> Outputs { get; } = [.. runner.Outputs, .. runner.Codes];
        public IReadOnlyDictionary<string, Tensor> Run(IReadOnlyDictionary<string, Tensor> inputs, IReadOnlyCollection<string>? outputs = null) =>
            runner.Run(inputs, outputs ?? [.. Outputs.Select(output => output.Name)]);
        public void Dispose() => runner.Dispose();
    }
}
