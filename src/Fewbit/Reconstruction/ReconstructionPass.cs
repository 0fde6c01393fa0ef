using Fewbit.Rounding;
using Fewbit.Tensors;

namespace Fewbit.Reconstruction;

/// <summary>How the exponent of the rounding regularizer falls.</summary>
public enum BetaSchedule
{
    /// <summary>In a straight line, as in the published code of BRECQ and QDrop.</summary>
    Linear,

    /// <summary>Along half a cosine, as in AIMET's AdaRound.</summary>
    Cosine,
}

/// <summary>One walk over the units of a network. A method is a list of passes.</summary>
internal sealed record ReconstructionPass
{
    /// <summary>Name in progress and messages.</summary>
    public required string Name { get; init; }

    /// <summary>Gradient steps for each unit; 0 leaves the units as they are.</summary>
    public int Iterations { get; init => field = Require.InRange(value, 0, 10_000_000, nameof(Iterations)); } = 20_000;

    /// <summary>Samples of a step.</summary>
    public int BatchSize { get; init => field = Require.InRange(value, 1, 65_536, nameof(BatchSize)); } = 32;

    /// <summary>Whether a step may draw a sample twice.</summary>
    public bool DrawsWithRepeats { get; init; }

    /// <summary>The rounding that is learned; null where the weights stay as they are.</summary>
    public ILearnedRounding? Rounding { get; init; }

    /// <summary>Whether activations are quantized while the units learn.</summary>
    public bool QuantizesActivations { get; init; }

    /// <summary>Adam's rate for the steps of the activations; 0 leaves them as they are. Falls to 0 along half a cosine.</summary>
    public double StepRate { get; init => field = Require.InRange(value, 0, 1, nameof(StepRate)); }

    /// <summary>Whether a step's gradient is divided by the root of (elements times highest code).</summary>
    public bool ScalesStepGradients { get; init; }

    /// <summary>That a quantizer inside the unit quantizes an element; others pass unchanged.</summary>
    public double QuantizationProbability { get; init => field = Require.InRange(value, 0, 1, nameof(QuantizationProbability)); } = 1;

    /// <summary>What the units read.</summary>
    public required IUnitInput Input { get; init; }

    /// <summary>What their outputs are to be like.</summary>
    public IObjective Objective { get; init; } = new OutputError();

    /// <summary>Adam's rate for the variables of the rounding.</summary>
    public double RoundingRate { get; init => field = Require.InRange(value, 0, 1, nameof(RoundingRate)); } = 1e-3;

    /// <summary>Weight of the rounding regularizer, which is a sum over weights.</summary>
    public double RoundingWeight { get; init => field = Require.InRange(value, 0, 1e6, nameof(RoundingWeight)); } = 0.01;

    /// <summary>The regularizer's exponent at the start.</summary>
    public double FirstBeta { get; init => field = Require.InRange(value, 1, 1000, nameof(FirstBeta)); } = 20;

    /// <summary>The regularizer's exponent at the end.</summary>
    public double LastBeta { get; init => field = Require.InRange(value, 1, 1000, nameof(LastBeta)); } = 2;

    /// <summary>Share of the steps before the regularizer sets in.</summary>
    public double WarmUp { get; init => field = Require.InRange(value, 0, 1, nameof(WarmUp)); } = 0.2;

    /// <summary>How the exponent falls.</summary>
    public BetaSchedule Schedule { get; init; }

    /// <summary>Whether the units with the network's first layers stay as they are.</summary>
    public bool SkipsFirst { get; init; }

    /// <summary>Whether something is learned.</summary>
    public bool Learns => Iterations > 0 && (Rounding is not null || StepRate > 0);

    /// <summary>Exponent and weight of the regularizer.</summary>
    /// <param name="iteration">From 0.</param>
    /// <param name="iterations">Steps of the unit.</param>
    public (float Beta, float Weight) Regularizer(int iteration, int iterations)
    {
        double start = WarmUp * iterations, count = iteration + 1;
        if (count < start || Rounding is null) return ((float)FirstBeta, 0);
        double position = iterations <= start ? 1 : Math.Min(1, (count - start) / (iterations - start));
        double height = Schedule == BetaSchedule.Linear ? 1 - position : 0.5 * (1 + Math.Cos(Math.PI * position));
        return ((float)(LastBeta + (FirstBeta - LastBeta) * height), (float)RoundingWeight);
    }

    /// <summary>Adam's rate for the activations' steps.</summary>
    public double StepRateAt(int iteration, int iterations) => 0.5 * StepRate * (1 + Math.Cos(Math.PI * iteration / iterations));
}
