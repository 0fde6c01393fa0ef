using Fewbit.Cli.Console;
using Fewbit.Graphs.Passes;
using Fewbit.Transforms;

namespace Fewbit.Cli.Quantizing;

/// <summary>What each transform changed, what it left and why.</summary>
internal static class TransformTable
{
    public static void Write(IReadOnlyList<TransformReport> reports, CommandOutput output)
    {
        foreach (TransformReport report in reports)
        {
            output.Line();
            output.Line($"{report.Transform.Name}:");
            foreach (PassNote note in report.Changes) output.Line($"  {note}");
            foreach (PassNote note in report.Skipped) output.Line($"  left {note}");
        }
    }
}
