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
}
