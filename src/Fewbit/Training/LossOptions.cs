using Fewbit.Tensors;

namespace Fewbit.Training;

/// <summary>What training minimizes.</summary>
public enum LossKind
{
    /// <summary>-log softmax(scores)[class], the mean over samples, tokens or pixels.</summary>
    CrossEntropy,

    /// <summary>Mean of (y - target)².</summary>
    MeanSquared,

    /// <summary>Mean of |y - target|.</summary>
    MeanAbsolute,

    /// <summary>Mean of d²/2 where d = |y - target| is at most <see cref="LossOptions.HuberWidth"/>, and width * (d - width/2) beyond.</summary>
    Huber,

    /// <summary>-(1 - p)^gamma * log p of the right class, p by softmax: what is classified well counts less. Lin et al., 2017, arXiv:1708.02002.</summary>
    Focal,

    /// <summary>Pinball loss, mean of max(q * d, (q - 1) * d) where d = target - y: its minimum is the quantile q of the targets.</summary>
    Quantile,

    /// <summary>Divergence of softmax(scores) from target probabilities, which have the shape of the scores; the mean over samples or tokens.</summary>
    KullbackLeibler,
}

/// <summary>Settings of the loss.</summary>
public sealed record LossOptions
{
    /// <summary>What is minimized. Default: cross-entropy.</summary>
    public LossKind Kind { get; init; }

    /// <summary>Cross-entropy: share of the target that is spread over all classes, 0 to below 1. Default 0.</summary>
    public double LabelSmoothing { get; init => field = Require.InRange(value, 0, 0.999999, nameof(LabelSmoothing)); }

    /// <summary>Huber: the difference up to which the loss is a square, above 0. Default 1.</summary>
    public double HuberWidth { get; init => field = Require.Positive(value, nameof(HuberWidth)); } = 1;

    /// <summary>Focal: the power of 1 - p, 0 to 100. Default 2.</summary>
    public double FocalGamma { get; init => field = Require.InRange(value, 0, 100, nameof(FocalGamma)); } = 2;

    /// <summary>Pinball: the quantile to learn, 0.000001 to 0.999999. Default 0.5, the median.</summary>
    public double Quantile { get; init => field = Require.InRange(value, 1e-6, 1 - 1e-6, nameof(Quantile)); } = 0.5;

    /// <summary>True where the target of a sample is the number of a class.</summary>
    internal bool IsForClasses => Kind is LossKind.CrossEntropy or LossKind.Focal;
}
