using Fewbit.Data;

namespace Fewbit.Reconstruction;

/// <summary>How many steps each unit takes: those that its pass asks for, those that are pinned, or its part of a time budget.</summary>
/// <remarks>Units that share a budget all take the same share of the steps asked for, whatever a step of theirs costs.</remarks>
/// <param name="options">Passes, pinned steps and the budget.</param>
/// <param name="units">The units that learn in each pass.</param>
internal sealed class StepBudget(ReconstructionOptions options, IReadOnlyList<IReadOnlyList<ReconstructionUnit>> units)
{
    private IReadOnlyDictionary<ReconstructionUnit, double> _seconds = new Dictionary<ReconstructionUnit, double>();
    private double _usual;

    /// <summary>True where steps have to be timed before a pass begins.</summary>
    public bool NeedsTimes => options.TimeBudget is not null && options.Passes.Index().Any(pass => units[pass.Index].Any(unit => PinnedOf(pass.Item, unit) is null));

    /// <exception cref="ArgumentException">Steps are pinned for a unit that does not learn.</exception>
    public void CheckPinned()
    {
        string[] names = [.. options.Passes.Index().SelectMany(pass => units[pass.Index].Select(unit => UnitReport.KeyOf(pass.Item.Name, unit.Name)))];
        if (options.StepsByUnit?.Keys.FirstOrDefault(key => !names.Contains(key)) is { } unknown)
            throw new ArgumentException($"steps are given for '{unknown}', which no pass learns; names are pass/unit as in a report{Closest.Suggestion(unknown, names)}");
    }

    /// <summary>Takes the seconds of a step of each unit of the pass that begins. Later passes are expected to take as long.</summary>
    public void Time(IReadOnlyDictionary<ReconstructionUnit, double> seconds) => (_seconds, _usual) = (seconds, seconds.Values.DefaultIfEmpty().Average());

    /// <summary>Steps of a unit without a budget.</summary>
    public int AskedOf(ReconstructionPass pass, ReconstructionUnit unit) => PinnedOf(pass, unit) ?? pass.Iterations;

    /// <summary>Steps of a unit.</summary>
    /// <param name="pass">Number of the pass.</param>
    /// <param name="unit">Number of the unit among those that learn in it.</param>
    /// <param name="left">Time left for steps; null without a budget.</param>
    public int StepsOf(int pass, int unit, TimeSpan? left)
    {
        int asked = options.Passes[pass].Iterations;
        if (PinnedOf(options.Passes[pass], units[pass][unit]) is { } pinned) return pinned;
        if (left is not { } time) return asked;
        double seconds = time.TotalSeconds, needed = 0;
        for (int p = pass; p < units.Count; p++)
        {
            foreach (ReconstructionUnit waiting in units[p].Skip(p == pass ? unit : 0))
            {
                double step = _seconds.GetValueOrDefault(waiting, _usual);
                if (PinnedOf(options.Passes[p], waiting) is { } steps) seconds -= steps * step;
                else needed += options.Passes[p].Iterations * step;
            }
        }
        double share = needed > 0 ? seconds / needed : 1;
        return (int)Math.Clamp(share * asked, Math.Min(1, asked), asked);
    }

    private int? PinnedOf(ReconstructionPass pass, ReconstructionUnit unit) =>
        options.StepsByUnit is { } all && all.TryGetValue(UnitReport.KeyOf(pass.Name, unit.Name), out int steps) ? steps : null;
}
