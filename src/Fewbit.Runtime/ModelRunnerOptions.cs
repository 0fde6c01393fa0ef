using Fewbit.Graphs.Execution;
using Fewbit.Onnx;
using Fewbit.Tensors;

namespace Fewbit.Runtime;

/// <summary>Settings of a <see cref="ModelRunner"/>.</summary>
public sealed record ModelRunnerOptions
{
    /// <summary>
    /// Whether quantized groups run on integer codes, as ONNX Runtime fuses them. Default: true. Without it QuantizeLinear and DequantizeLinear run as they are written,
    /// which is ONNX Runtime with its optimizations off.
    /// </summary>
    public bool FusesQuantized { get; init; } = true;

    /// <summary>Whether a run can be asked for the codes of each quantizer. Default: false.</summary>
    public bool KeepsCodes { get; init; }

    /// <summary>How a model file is read.</summary>
    public OnnxLoadOptions Reading { get; init; } = new();

    /// <summary>What one run may cost: iterations, time, memory, and the bytes of transformed weights that a plan may keep. Default: <see cref="ExecutionLimits.Default"/>.</summary>
    public ExecutionLimits Limits { get; init; } = ExecutionLimits.Default;

    /// <summary>Threads that compute, of the whole process, 0 to 1024; 0, the default, leaves the number as it is (at first one per processor).</summary>
    public int Threads { get; init => field = Require.InRange(value, 0, 1024, nameof(Threads)); }
}
