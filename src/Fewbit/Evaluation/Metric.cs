namespace Fewbit.Evaluation;

/// <summary>What is measured of a model, and which way is better.</summary>
/// <param name="Name">As the command line takes it.</param>
/// <param name="Title">For people.</param>
/// <param name="Unit">Of the values: "dB", or "" where they have none.</param>
/// <param name="IsHigherBetter">False where lower is better.</param>
/// <param name="IsShare">True for values from 0 to 1, of which people read percents and percentage points.</param>
public sealed record Metric(string Name, string Title, string Unit, bool IsHigherBetter, bool IsShare)
{
    /// <summary>Share of labels that are ranked first.</summary>
    public static Metric Top1 { get; } = new("top1", "top-1", "", IsHigherBetter: true, IsShare: true);

    /// <summary>Share of samples on which the float model ranks the same class first: for data without labels, and where the float model is always right.</summary>
    public static Metric Agreement { get; } = new("agreement", "same label", "", IsHigherBetter: true, IsShare: true);

    /// <summary>Peak signal-to-noise ratio of pictures, the mean over pictures.</summary>
    public static Metric Psnr { get; } = new("psnr", "PSNR", "dB", IsHigherBetter: true, IsShare: false);

    /// <summary>exp of the mean negative log-likelihood of the next token.</summary>
    public static Metric Perplexity { get; } = new("perplexity", "perplexity", "", IsHigherBetter: false, IsShare: false);

    /// <summary>Mean average precision of detections, the float model's detections being the truth.</summary>
    public static Metric MapVsFloat { get; } = new("map-vs-float", "mAP against float", "", IsHigherBetter: true, IsShare: true);

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Metric> All { get; } = [Top1, Agreement, Psnr, Perplexity, MapVsFloat];
}
