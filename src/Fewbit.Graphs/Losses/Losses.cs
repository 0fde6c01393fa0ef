using Fewbit.Graphs.Operators;

namespace Fewbit.Graphs;

/// <summary>Losses as expressions: each appends nodes to the graph of its arguments, and can be differentiated, twice too.</summary>
/// <remarks>Numbers are compared element by element and may be broadcast; class scores are [N, C, ...], before any softmax.</remarks>
public static partial class Losses
{
    /// <summary>(x - target)².</summary>
    public static Value MeanSquared(Value x, Value target, LossReduction reduction = LossReduction.Mean)
    {
        Value difference = x - target;
        return Reduce(difference * difference, reduction);
    }

    /// <summary>|x - target|.</summary>
    public static Value MeanAbsolute(Value x, Value target, LossReduction reduction = LossReduction.Mean) => Reduce((x - target).Apply("Abs"), reduction);

    /// <summary>d² / 2 up to the width, width · (|d| - width / 2) beyond, with d = x - target.</summary>
    /// <param name="x">Numbers.</param>
    /// <param name="target">What they should be.</param>
    /// <param name="width">Where the parabola becomes a line; above 0.</param>
    /// <param name="reduction">What becomes of the terms.</param>
    /// <remarks>Huber, "Robust Estimation of a Location Parameter", 1964.</remarks>
    public static Value Huber(Value x, Value target, double width = 1, LossReduction reduction = LossReduction.Mean)
    {
        ExpectPositive(width, nameof(width));
        Value distance = (x - target).Apply("Abs"), inside = distance.Apply("Min", distance.Scalar(width));
        return Reduce(inside * inside * 0.5f + (distance - inside) * distance.Scalar(width), reduction);
    }

    /// <summary><see cref="Huber"/> divided by its width: slope 1 beyond it.</summary>
    public static Value SmoothAbsolute(Value x, Value target, double width = 1, LossReduction reduction = LossReduction.Mean)
    {
        Value loss = Huber(x, target, width, reduction);
        return loss * loss.Scalar(1 / width);
    }

    /// <summary>The pinball loss max(q · d, (q - 1) · d), d = target - x, whose minimum is the quantile q of the targets.</summary>
    /// <param name="x">Numbers.</param>
    /// <param name="target">What they should be.</param>
    /// <param name="quantile">Strictly between 0 and 1.</param>
    /// <param name="reduction">What becomes of the terms.</param>
    public static Value Quantile(Value x, Value target, double quantile, LossReduction reduction = LossReduction.Mean)
    {
        if (quantile is not (> 0 and < 1)) throw new ArgumentOutOfRangeException(nameof(quantile), quantile, "must lie strictly between 0 and 1");
        Value difference = target - x;
        return Reduce((difference * difference.Scalar(quantile)).Apply("Max", difference * difference.Scalar(quantile - 1)), reduction);
    }

    /// <summary>The reconstruction loss of AdaRound, BRECQ and QDrop: |x - target|^p summed over dimension 1, the channels, then the mean over the others. One number.</summary>
    /// <param name="x">[N, C, ...] or [N, C].</param>
    /// <param name="target">The same shape.</param>
    /// <param name="power">p, above 0.</param>
    public static Value Reconstruction(Value x, Value target, double power = 2)
    {
        ExpectPositive(power, nameof(power));
        Value distance = x - target;
        if (power == 2) distance *= distance;
        else
        {
            distance = distance.Apply("Abs");
            if (power != 1) distance = Power(distance, power);
        }
        return Reduce(distance.Apply("ReduceSum", new Attributes { { "keepdims", 0 } }, distance.Integers("axes", 1)), LossReduction.Mean);
    }

    /// <summary>Sum of the absolute differences between neighbours of a row and of a column, the mean over pictures: [N, C, H, W] to one number.</summary>
    /// <remarks>Rudin, Osher and Fatemi, "Nonlinear total variation based noise removal algorithms", 1992; the anisotropic form.</remarks>
    public static Value TotalVariation(Value x)
    {
        Value Along(int axis) => Reduce((x.Slice(axis, 1) - x.Slice(axis, 0, -1)).Apply("Abs"), LossReduction.Sum);
        Value pictures = x.Lengths(0, 1).Apply("Squeeze").Apply("CastLike", x);
        return (Along(2) + Along(3)) / pictures;
    }

    /// <summary>x^power for x of 0 and more. At 0 a power below 1 is infinitely steep: there it is flat instead.</summary>
    private static Value Power(Value x, double power)
    {
        if (power >= 1) return x.Apply("Pow", x.Scalar(power));
        Value isZero = x.Apply("Equal", x.Scalar(0));
        return isZero.Apply("Where", x.Scalar(power == 0 ? 1 : 0), isZero.Apply("Where", x.Scalar(1), x).Apply("Pow", x.Scalar(power)));
    }

    private static Value Reduce(Value terms, LossReduction reduction) => reduction switch
    {
        LossReduction.None => terms,
        LossReduction.Sum => terms.SumToShapeOf(terms.Scalar(0)),
        _ => terms.MeanToShapeOf(terms.Scalar(0)),
    };

    private static void ExpectPositive(double number, string name)
    {
        if (!(number > 0) || double.IsInfinity(number)) throw new ArgumentOutOfRangeException(name, number, "must be a number above 0");
    }
}
