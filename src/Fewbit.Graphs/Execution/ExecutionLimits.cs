using System.Diagnostics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Execution;

/// <summary>What one run of a graph may cost. A model file can ask for endless loops and tensors of any size; these limits end it with an error before memory is taken.</summary>
public sealed record ExecutionLimits
{
    /// <summary>Limits for models that are trusted to end: 16,777,216 iterations, no time limit, tensors up to 16 GiB, all memory of the machine.</summary>
    public static ExecutionLimits Default { get; } = new();

    /// <summary>Iterations of all Loop and Scan nodes of a run together, nested ones counted each time, 1 and up. Default: 16,777,216.</summary>
    public long MaxIterations { get; init => field = Require.InRange(value, 1, long.MaxValue, nameof(MaxIterations)); } = 1 << 24;

    /// <summary>
    /// Bytes of weights that a plan may keep transformed for Winograd's algorithm, 0 and up; 0: no convolution is transformed. Default: 128 MiB.
    /// They are spent in the order of the graph: early convolutions have more pixels, and save more for a byte.
    /// </summary>
    public long WinogradBytes { get; init => field = Require.InRange(value, 0, long.MaxValue, nameof(WinogradBytes)); } = 128 << 20;

    /// <summary>Time after which a run starts no further iteration. Default: none.</summary>
    public TimeSpan? TimeLimit { get; init; }

    /// <summary>Bytes of one tensor that a run computes, 1 and up. Default: 16 GiB.</summary>
    public long MaxTensorBytes { get; init => field = Require.InRange(value, 1, long.MaxValue, nameof(MaxTensorBytes)); } = 1L << 34;

    /// <summary>Bytes of all tensors that a run holds at once, 1 and up. Default: the memory that the machine, or the container, gives the process.</summary>
    public long MaxWorkingBytes { get; init => field = Require.InRange(value, 1, long.MaxValue, nameof(MaxWorkingBytes)); } = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
}

/// <summary>Counts what a run has used of its limits.</summary>
internal sealed class RunBudget(ExecutionLimits limits)
{
    private long _iterations;
    private long _workingBytes;
    private long _start = Stopwatch.GetTimestamp();

    public ExecutionLimits Limits => limits;

    /// <summary>Begins a run.</summary>
    public void Restart() => (_iterations, _workingBytes, _start, RunNumber) = (0, 0, Stopwatch.GetTimestamp(), RunNumber + 1);

    /// <summary>Runs begun so far.</summary>
    public int RunNumber { get; private set; } = 1;

    /// <exception cref="InvalidDataException">A limit is passed.</exception>
    public void CountIteration(Node node)
    {
        node.Expect(++_iterations <= limits.MaxIterations, $"iterates although the run has made {limits.MaxIterations} iterations, the limit: raise {nameof(ExecutionLimits)}.{nameof(ExecutionLimits.MaxIterations)} if the model means it");
        if (limits.TimeLimit is { } limit) node.Expect(Stopwatch.GetElapsedTime(_start) <= limit, $"iterates although the run has taken {limit}, the limit: raise {nameof(ExecutionLimits)}.{nameof(ExecutionLimits.TimeLimit)}");
    }

    /// <summary>Checks an output whose shape is known, before memory is taken for it.</summary>
    /// <exception cref="InvalidDataException">It has no element type, or is larger than a tensor may be.</exception>
    public void ExpectFits(Node node, Value output, ElementType type, Shape shape)
    {
        node.Expect(type.BitWidth() > 0, $"output '{output.Name}' would hold {type.Name()} elements, which Fewbit does not compute with");
        decimal bytes = (decimal)shape.ElementCount * type.BitWidth() / 8;
        node.Expect(bytes <= limits.MaxTensorBytes, $"output '{output.Name}' would take {decimal.Ceiling(bytes)} bytes ({type.Name()} {shape}), more than the limit of {limits.MaxTensorBytes}: raise {nameof(ExecutionLimits)}.{nameof(ExecutionLimits.MaxTensorBytes)} if the model means it");
    }

    /// <summary>Counts bytes that stay until they are given back or the run ends.</summary>
    /// <exception cref="InvalidDataException">The run holds more than it may.</exception>
    public void Take(Node node, long bytes)
    {
        _workingBytes += bytes;
        node.Expect(_workingBytes <= limits.MaxWorkingBytes, $"the run holds {_workingBytes} bytes of tensors with its outputs, more than the limit of {limits.MaxWorkingBytes}: raise {nameof(ExecutionLimits)}.{nameof(ExecutionLimits.MaxWorkingBytes)} if the model means it");
    }

    public void GiveBack(long bytes) => _workingBytes -= bytes;
}
