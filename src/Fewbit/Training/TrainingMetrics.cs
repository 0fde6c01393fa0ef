namespace Fewbit.Training;

/// <summary>How good a model is on some data.</summary>
/// <param name="Samples">Samples, tokens or pictures judged.</param>
/// <param name="Loss">The training's loss, without label smoothing.</param>
public sealed record TrainingMetrics(long Samples, double Loss)
{
    /// <summary>Share of targets ranked first; null where the targets are no classes.</summary>
    public double? Top1 { get; init; }

    /// <summary>Share of targets among the first five; null where the targets are no classes.</summary>
    public double? Top5 { get; init; }

    /// <summary>exp(loss) where each token is a target; null elsewhere.</summary>
    public double? Perplexity { get; init; }

    /// <summary>Mean over pictures of 10 log10(1 / mean squared error) in dB; null where the targets are no pictures.</summary>
    public double? Psnr { get; init; }

    /// <summary>Mean structural similarity of pictures, up to 1; null where the targets are no pictures.</summary>
    public double? Ssim { get; init; }

    /// <summary>The number that decides which epoch is best: top-1, else PSNR, else the loss.</summary>
    public double Headline => Perplexity is not null ? Loss : Top1 ?? Psnr ?? Loss;

    /// <summary>Name of <see cref="Headline"/>.</summary>
    public string HeadlineName => Perplexity is not null ? "loss" : Top1 is not null ? "top-1" : Psnr is not null ? "PSNR" : "loss";

    /// <summary>Whether a higher <see cref="Headline"/> is better.</summary>
    public bool IsHigherBetter => HeadlineName != "loss";
}
