using Fewbit.Tensors;

namespace Fewbit.Training;

/// <summary>The rate falls when the metric of the validation has stopped to improve.</summary>
public sealed record PlateauSchedule : LearningRateSchedule
{
    /// <summary>Factor of each fall, 0 to below 1. Default 0.1.</summary>
    public double Gamma { get; init => field = Require.InRange(value, 0, 0.999999, nameof(Gamma)); } = 0.1;

    /// <summary>Validations without improvement that are borne, 0 and up. Default 10.</summary>
    public int Patience { get; init => field = Require.InRange(value, 0, int.MaxValue, nameof(Patience)); } = 10;

    /// <summary>Relative change that counts as improvement, 0 to 1. Default 0.0001.</summary>
    public double Threshold { get; init => field = Require.InRange(value, 0, 1, nameof(Threshold)); } = 1e-4;

    /// <summary>Validations after a fall that count nothing, 0 and up. Default 0.</summary>
    public int Cooldown { get; init => field = Require.InRange(value, 0, int.MaxValue, nameof(Cooldown)); }

    /// <summary>Factor below which the rate does not fall, 0 to 1. Default 0.</summary>
    public double End { get; init => field = Require.InRange(value, 0, 1, nameof(End)); }

    /// <inheritdoc/>
    public override string Name => "plateau";

    private protected override double FactorAt(long time, long total) => 1;
}

/// <summary>What a <see cref="PlateauSchedule"/> remembers.</summary>
/// <param name="Factor">Factor of the rate now.</param>
/// <param name="Best">Best metric so far; null before the first.</param>
/// <param name="BadCount">Validations since then that were no better.</param>
/// <param name="CooldownLeft">Validations that still count nothing.</param>
internal sealed record PlateauState(double Factor = 1, double? Best = null, int BadCount = 0, int CooldownLeft = 0)
{
    /// <summary>Takes in the metric of a validation.</summary>
    public PlateauState After(double metric, bool isHigherBetter, PlateauSchedule schedule)
    {
        bool improves = Best is not { } best || (isHigherBetter ? metric > best * (1 + schedule.Threshold) : metric < best * (1 - schedule.Threshold));
        PlateauState next = this with { Best = improves ? metric : Best, BadCount = improves ? 0 : BadCount + 1 };
        if (next.CooldownLeft > 0) next = next with { CooldownLeft = next.CooldownLeft - 1, BadCount = 0 };
        return next.BadCount <= schedule.Patience ? next
            : next with { Factor = Math.Max(schedule.End, next.Factor * schedule.Gamma), BadCount = 0, CooldownLeft = schedule.Cooldown };
    }
}
