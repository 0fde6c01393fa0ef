using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Passes;
using Fewbit.Graphs.Passes.Quantized;
using Fewbit.Onnx;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Runtime;

/// <summary>Runs a float or quantized ONNX model with Fewbit's own kernels.</summary>
public sealed class ModelRunner : IModelRunner
{
    private readonly GraphRunner _runner;
    private readonly string? _path;

    private ModelRunner(Graph graph, ModelRunnerOptions options, string? path = null)
    {
        _path = path;
        string[] outputs = [.. graph.Outputs.Select(output => output.Name)];
        RunnableNodes.Keep(graph);
        if (options.FusesQuantized) Fusion = FuseQuantized.Apply(graph);
        string[] codes = options.KeepsCodes ? [.. (Fusion?.Codes ?? QuantizersOf(graph)).Except(outputs, StringComparer.Ordinal)] : [];
        // Declared only now: a quantizer whose codes are an output of the graph fuses with less.
        foreach (string name in codes) graph.AddOutput(graph.Find(name)!);
        // A quantized model keeps its float nodes as they are: a transformed convolution would move codes behind it.
        if (codes.Length == 0 && !graph.Nodes.Any(node => node.OpType is "QuantizeLinear" or "DequantizeLinear" || node.OpType.StartsWith("QLinear", StringComparison.Ordinal))) Passes.PrepareForExecution(graph);
        else Passes.Run(graph, new FoldConstants(), new FoldBatchNorm { KeepsOriginal = false }, new RemoveDeadNodes());
        ReleaseFolded(graph);
        if (options.Threads > 0) Workers.ThreadCount = options.Threads;
        _runner = new(graph, options.Limits);
        Outputs = [.. _runner.Outputs.Where(output => outputs.Contains(output.Name))];
        Codes = [.. _runner.Outputs.Where(output => codes.Contains(output.Name))];
    }

    /// <inheritdoc/>
    public IReadOnlyList<ValueInfo> Inputs => _runner.Inputs;

    /// <inheritdoc/>
    public IReadOnlyList<ValueInfo> Outputs { get; }

    /// <summary>The quantizers' codes that a run can be asked for by name, beside the outputs; empty unless <see cref="ModelRunnerOptions.KeepsCodes"/>.</summary>
    public IReadOnlyList<ValueInfo> Codes { get; }

    /// <summary>Which nodes run on codes, and why the others do not; null where quantized groups are not fused.</summary>
    public FusionReport? Fusion { get; }

    /// <summary>Bytes of the memory that the intermediate tensors of the latest run shared; 0 before the first.</summary>
    public long WorkingBytes => _runner.WorkingBytes;

    /// <summary>Loads a model file, with its external data.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is not a valid ONNX model, or uses what Fewbit does not take.</exception>
    public static ModelRunner Load(string path, ModelRunnerOptions? options = null) 
    {
        options ??= new();
        Graph graph = OnnxFile.Load(path, options.Reading);
        return OnnxFile.Checked(path, () => new ModelRunner(graph, options, path));
    }

    /// <summary>Runs a copy of a graph.</summary>
    public static ModelRunner From(Graph graph, ModelRunnerOptions? options = null) => new(graph.Clone(), options ?? new());

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, Tensor> Run(IReadOnlyDictionary<string, Tensor> inputs, IReadOnlyCollection<string>? outputs = null) =>
        _path is null ? RunNamed(inputs, outputs) : OnnxFile.Checked(_path, () => RunNamed(inputs, outputs));

    private IReadOnlyDictionary<string, Tensor> RunNamed(IReadOnlyDictionary<string, Tensor> inputs, IReadOnlyCollection<string>? outputs) =>
        _runner.Run(inputs, outputs ?? [.. Outputs.Select(output => output.Name)]);

    /// <summary>Forgets the plans.</summary>
    public void Dispose() => _runner.Dispose();

    /// <summary>Frees the weights that passes replaced before the plan packs the new ones, so that peak memory holds two copies of the weights, not three.</summary>
    private static void ReleaseFolded(Graph graph)
    {
        const long WorthACollection = 8 << 20;
        if (graph.Constants.Sum(value => value.Constant!.ByteCount) >= WorthACollection) GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    }

    private static IEnumerable<string> QuantizersOf(Graph graph) =>
        graph.Nodes.Where(node => node.OpType == "QuantizeLinear").Select(node => node.Outputs[0].Name);
}
