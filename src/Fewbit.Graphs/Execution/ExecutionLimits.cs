using System.Diagnostics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Execution;

/// <summary>What one run of a graph may cost. A loop in a model file can be endless; these limits end it with an error.</summary>
public sealed record ExecutionLimits
{
    /// <summary>Limits for models that are trusted to end: 16,777,216 iterations, no time limit.</summary>
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
}

/// <summary>Counts what a run has used of its limits.</summary>
internal sealed class RunBudget(ExecutionLimits limits)
{
    private long _iterations;
    private long _start = Stopwatch.GetTimestamp();

    /// <summary>Begins a run.</summary>
    public void Restart() => (_iterations, _start) = (0, Stopwatch.GetTimestamp());

    /// <exception cref="InvalidDataException">A limit is passed.</exception>
    public void CountIteration(Node node)
    {
        node.Expect(++_iterations <= limits.MaxIterations, $"iterates although the run has made {limits.MaxIterations} iterations: raise {nameof(ExecutionLimits)}.{nameof(ExecutionLimits.MaxIterations)} if the model means it");
        if (limits.TimeLimit is { } limit) node.Expect(Stopwatch.GetElapsedTime(_start) <= limit, $"iterates although the run has taken {limit}, its {nameof(ExecutionLimits)}.{nameof(ExecutionLimits.TimeLimit)}");
    }
}
