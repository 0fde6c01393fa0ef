namespace Fewbit.OnnxRuntime;

/// <summary>How long runs of a model took, each with all its inputs and outputs in place.</summary>
/// <param name="Median">Half of the runs took at most this long.</param>
/// <param name="Min">The shortest run: the figure least disturbed by other work on the machine.</param>
/// <param name="Runs">Number of runs that were measured.</param>
public sealed record RunTiming(TimeSpan Median, TimeSpan Min, int Runs)
{
    /// <param name="times">Time of each run, in any order; at least one.</param>
    internal static RunTiming Of(IReadOnlyCollection<TimeSpan> times)
    {
        TimeSpan[] sorted = [.. times.Order()];
        return new((sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2, sorted[0], sorted.Length);
    }
}
