using Fewbit.Cli.Console;
using Fewbit.Promises;

namespace Fewbit.Cli.Quantizing;

/// <summary>Shows what a search tries, and a line for each candidate that was judged.</summary>
internal sealed class ShownSearch(ILiveProgress live) : IProgress<PromiseProgress>
{
    private string _candidate = "", _stage = "";

    public void Report(PromiseProgress value)
    {
        if (value.Finished is { } candidate) live.Line(PromiseReport.Line(candidate));
        else if (value.Work is { Total: { } total } work)
        {
            if (work.Stage != _stage) live.Begin($"{_candidate}: {_stage = work.Stage}", 0, total, work.Learning is null ? "layers" : "steps");
            if (work.Learning is { } learning) live.Title = FormattableString.Invariant($"{_candidate}: {learning.Pass}, unit {learning.UnitIndex + 1} of {learning.UnitCount}, step {learning.Iteration} of {learning.Iterations}");
            live.Report(work.Done);
        }
        else if (value.Candidate.Length > 0)
        {
            (_candidate, _stage) = (value.Candidate, "");
            live.Title = $"{value.Candidate}: {value.Stage}";
        }
    }
}
