using Fewbit.Tensors;

namespace Fewbit.OnnxRuntime;

/// <summary>How far ONNX Runtime rewrites a graph when it loads it.</summary>
public enum GraphOptimizationLevel
{
    /// <summary>The graph as it is written.</summary>
    Off = 0,
    /// <summary>Rewrites that keep the meaning of every node: constant folding, dead nodes.</summary>
    Basic = 1,
    /// <summary>And fusions for the CPU, among them of quantize-dequantize pairs.</summary>
    Extended = 2,
    /// <summary>And changes of memory layout.</summary>
    All = 99,
}

/// <summary>The least severe message that ONNX Runtime writes to standard error.</summary>
public enum OnnxRuntimeLogSeverity
{
    /// <summary>Every message.</summary>
    Verbose = 0,
    /// <summary>What it does.</summary>
    Info = 1,
    /// <summary>What it finds odd.</summary>
    Warning = 2,
    /// <summary>What failed.</summary>
    Error = 3,
    /// <summary>What it cannot survive.</summary>
    Fatal = 4,
}

/// <summary>Settings of an <see cref="OnnxRuntimeSession"/>.</summary>
public sealed record OnnxRuntimeOptions
{
    /// <summary>Rewrites at load. Default: all of them.</summary>
    public GraphOptimizationLevel OptimizationLevel { get; init; } = GraphOptimizationLevel.All;

    /// <summary>Threads that work on one node (intra-op), 0 to 1024; 0, the default, takes one per physical core. Nodes run one after another.</summary>
    public int Threads { get; init => field = Require.InRange(value, 0, 1024, nameof(Threads)); }

    /// <summary>Where to write the graph that is really run, as an ONNX file; null, the default, writes none. A file that is there is overwritten.</summary>
    public string? OptimizedModelPath { get; init; }

    /// <summary>
    /// Further settings by key, such as session.disable_quant_qdq = 1 (onnxruntime_session_options_config_keys.h).
    /// The runtime ignores keys it does not know.
    /// </summary>
    public IReadOnlyDictionary<string, string> ConfigEntries { get; init; } = new Dictionary<string, string>();

    /// <summary>What the runtime may write to standard error. Default: errors.</summary>
    public OnnxRuntimeLogSeverity LogSeverity { get; init; } = OnnxRuntimeLogSeverity.Error;
}
