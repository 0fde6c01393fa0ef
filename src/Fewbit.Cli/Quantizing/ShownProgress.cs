using Fewbit.Cli.Console;
using Fewbit.Quantization;

namespace Fewbit.Cli.Quantizing;

/// <summary>Shows where quantization stands: samples while calibrating, then pass, unit, loss and steps while learning.</summary>
internal sealed class ShownProgress(ILiveProgress live) : IProgress<QuantizationProgress>
{
    private string? _pass;

    public void Report(QuantizationProgress value)
    {
        if (value.Total is not { } total) return; // the last stage counts nothing
        if (value.Learning is { } learning)
        {
            if (_pass != learning.Pass) live.Begin(_pass = learning.Pass, value.Done, total, "steps");
            live.Title = FormattableString.Invariant($"{learning.Pass}: unit {learning.UnitIndex + 1} of {learning.UnitCount} '{learning.Unit}', step {learning.Iteration} of {learning.Iterations}, loss {learning.Loss:G4}");
        }
        live.Report(value.Done);
    }
}
