using Fewbit.Tensors;

namespace Fewbit.Training;

/// <summary>What a schedule counts.</summary>
public enum ScheduleUnit
{
    /// <summary>Steps: the rate changes after each batch.</summary>
    Step,

    /// <summary>Epochs: the rate stays during an epoch.</summary>
    Epoch,
}

/// <summary>Where training is.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="StepsPerEpoch">Batches an epoch.</param>
/// <param name="TotalSteps">Steps in all.</param>
public readonly record struct TrainingClock(long Step, long StepsPerEpoch, long TotalSteps);

/// <summary>The learning rate over time, as a factor of the optimizer's rate.</summary>
public abstract record LearningRateSchedule
{
    /// <summary>What the schedule counts.</summary>
    public ScheduleUnit Unit { get; init; }

    /// <summary>Steps in which the rate rises linearly from <see cref="WarmUpStart"/> to the full rate; the schedule begins after them, with what is left of the time. Default 0.</summary>
    public int WarmUpSteps { get; init => field = Require.InRange(value, 0, int.MaxValue, nameof(WarmUpSteps)); }

    /// <summary>Factor of the first step of the warm-up, 0 to 1. Default 0.01.</summary>
    public double WarmUpStart { get; init => field = Require.InRange(value, 0, 1, nameof(WarmUpStart)); } = 0.01;

    /// <summary>The name that recipes use.</summary>
    public abstract string Name { get; }

    /// <summary>Whether the rate depends on how long training takes in all.</summary>
    internal virtual bool NeedsLength => Unit == ScheduleUnit.Epoch;

    /// <summary>The factor of the step that begins now.</summary>
    public double Factor(TrainingClock clock)
    {
        if (clock.Step < WarmUpSteps) return WarmUpStart + (1 - WarmUpStart) * clock.Step / WarmUpSteps;
        long done = clock.Step - WarmUpSteps, all = Math.Max(1, clock.TotalSteps - WarmUpSteps);
        if (Unit == ScheduleUnit.Step) return FactorAt(done, all);
        long epochs = (all + clock.StepsPerEpoch - 1) / clock.StepsPerEpoch;
        return FactorAt(done / clock.StepsPerEpoch, epochs);
    }

    /// <summary>The factor at a moment.</summary>
    /// <param name="time">Steps or epochs since the warm-up ended.</param>
    /// <param name="total">Steps or epochs from there to the end.</param>
    private protected abstract double FactorAt(long time, long total);
}

/// <summary>The rate stays.</summary>
public sealed record ConstantSchedule : LearningRateSchedule
{
    /// <inheritdoc/>
    public override string Name => "constant";

    private protected override double FactorAt(long time, long total) => 1;
}

/// <summary>The rate falls by a factor again and again: Gamma ^ floor(t / Every).</summary>
public sealed record StepSchedule : LearningRateSchedule
{
    /// <summary>Counts epochs.</summary>
    public StepSchedule() => Unit = ScheduleUnit.Epoch;

    /// <summary>Steps or epochs between falls, 1 and up. Default 30.</summary>
    public int Every { get; init => field = Require.InRange(value, 1, int.MaxValue, nameof(Every)); } = 30;

    /// <summary>Factor of each fall, 0 to 1. Default 0.1.</summary>
    public double Gamma { get; init => field = Require.InRange(value, 0, 1, nameof(Gamma)); } = 0.1;

    /// <inheritdoc/>
    public override string Name => "step";

    private protected override double FactorAt(long time, long total) => Math.Pow(Gamma, time / Every);
}

/// <summary>The rate falls by a factor at stated times.</summary>
public sealed record MultiStepSchedule : LearningRateSchedule
{
    /// <summary>Counts epochs.</summary>
    public MultiStepSchedule() => Unit = ScheduleUnit.Epoch;

    /// <summary>Steps or epochs at which the rate falls.</summary>
    public IReadOnlyList<int> Milestones { get; init; } = [];

    /// <summary>Factor of each fall, 0 to 1. Default 0.1.</summary>
    public double Gamma { get; init => field = Require.InRange(value, 0, 1, nameof(Gamma)); } = 0.1;

    /// <inheritdoc/>
    public override string Name => "multi-step";

    private protected override double FactorAt(long time, long total) => Math.Pow(Gamma, Milestones.Count(milestone => milestone <= time));
}

/// <summary>Half a cosine wave: End + (1 - End) * (1 + cos(π t / T)) / 2.</summary>
/// <remarks>Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, arXiv:1608.03983, without restarts.</remarks>
public sealed record CosineSchedule : LearningRateSchedule
{
    /// <summary>Factor at the end, 0 to 1. Default 0.</summary>
    public double End { get; init => field = Require.InRange(value, 0, 1, nameof(End)); }

    /// <inheritdoc/>
    public override string Name => "cosine";

    internal override bool NeedsLength => true;

    private protected override double FactorAt(long time, long total) => End + (1 - End) * (1 + Math.Cos(Math.PI * Math.Min(time, total) / total)) / 2;
}

/// <summary>A straight line from 1 to <see cref="End"/>.</summary>
public sealed record LinearSchedule : LearningRateSchedule
{
    /// <summary>Factor at the end, 0 to 1. Default 0.</summary>
    public double End { get; init => field = Require.InRange(value, 0, 1, nameof(End)); }

    /// <inheritdoc/>
    public override string Name => "linear";

    internal override bool NeedsLength => true;

    private protected override double FactorAt(long time, long total) => 1 + (End - 1) * Math.Min(time, total) / total;
}

/// <summary>Up to the full rate and down to almost nothing, both along half a cosine wave.</summary>
/// <remarks>Smith and Topin, "Super-Convergence", 2018, arXiv:1708.07120, in PyTorch's form of two phases; the momentum stays as it is.</remarks>
public sealed record OneCycleSchedule : LearningRateSchedule
{
    /// <summary>Share of the time in which the rate rises, above 0 to below 1. Default 0.3.</summary>
    public double Rise { get; init => field = Require.InRange(value, 1e-6, 1 - 1e-6, nameof(Rise)); } = 0.3;

    /// <summary>Full rate over first rate, 1 and up. Default 25.</summary>
    public double StartDivisor { get; init => field = Require.InRange(value, 1, 1e12, nameof(StartDivisor)); } = 25;

    /// <summary>First rate over last rate, 1 and up. Default 10,000.</summary>
    public double EndDivisor { get; init => field = Require.InRange(value, 1, 1e12, nameof(EndDivisor)); } = 1e4;

    /// <inheritdoc/>
    public override string Name => "one-cycle";

    internal override bool NeedsLength => true;

    private protected override double FactorAt(long time, long total)
    {
        double start = 1 / StartDivisor, end = start / EndDivisor, top = Rise * total - 1, last = total - 1;
        return time <= top ? Anneal(start, 1, top <= 0 ? 1 : time / top) : Anneal(1, end, last <= top ? 1 : Math.Min(1, (time - top) / (last - top)));
    }

    private static double Anneal(double from, double to, double share) => to + (from - to) * (1 + Math.Cos(Math.PI * share)) / 2;
}
