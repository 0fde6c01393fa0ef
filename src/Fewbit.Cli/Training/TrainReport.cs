using Fewbit.Cli.Console;
using Fewbit.Training;

namespace Fewbit.Cli.Training;

/// <summary>What training brought.</summary>
/// <param name="File">The model written.</param>
/// <param name="Model">What it started from.</param>
/// <param name="Data">What it learned from.</param>
/// <param name="Validation">What it was judged by; null without.</param>
/// <param name="Parameters">Numbers that learned.</param>
/// <param name="Epochs">What each epoch brought.</param>
/// <param name="KeptEpoch">The epoch that was written.</param>
/// <param name="Seed">Seed of weights, order and augmentation.</param>
/// <param name="Seconds">Time of the steps of this run.</param>
/// <param name="Processor">What it ran on.</param>
/// <param name="Threads">Threads that computed.</param>
internal sealed record TrainReport(string File, string Model, string Data, string? Validation, long Parameters, IReadOnlyList<EpochReport> Epochs, int KeptEpoch, long Seed, double Seconds, string Processor, int Threads)
{
    public void Write(CommandOutput output)
    {
        EpochReport kept = Epochs[KeptEpoch - 1];
        output.Fields(
        [
            ("written", File),
            ("model", $"{Model}, {Words.Whole(Parameters)} parameters that learned"),
            ("data", Data),
            .. Validation is { } validation ? new[] { ("validation", validation) } : [],
            ("epoch", $"{KeptEpoch} of {Epochs.Count}, {Words.Plural(kept.Steps, "step")}, loss {kept.Loss:F4}"),
            .. kept.Validation is { } metrics ? Figures(metrics).Select(figure => ($"validation {figure.Name}", figure.Text)) : [],
            ("time", $"{Words.Time(TimeSpan.FromSeconds(Seconds))} on {Processor}, {Words.Plural(Threads, "thread")}, seed {Seed}"),
        ]);
        if (Validation is null) output.Line("Nothing judged the result: give --validation, or hold some of the data out with --validation-share 0.1.");
    }

    /// <summary>A line about an epoch.</summary>
    public static string Line(EpochReport epoch, int epochs)
    {
        string validation = epoch.Validation is { } metrics ? "; validation " + string.Join(", ", Figures(metrics).Select(figure => $"{figure.Name} {figure.Text}")) : "";
        return FormattableString.Invariant($"epoch {epoch.Epoch} of {epochs}: loss {epoch.Loss:F4}, rate {epoch.LearningRate:G4}, {Words.Time(TimeSpan.FromSeconds(epoch.Seconds))}{validation}");
    }

    private static IEnumerable<(string Name, string Text)> Figures(TrainingMetrics metrics)
    {
        yield return ("loss", FormattableString.Invariant($"{metrics.Loss:F4}"));
        if (metrics.Perplexity is { } perplexity) yield return ("perplexity", Words.Digits(perplexity));
        if (metrics.Top1 is { } top1) yield return ("top-1", Words.Percent(top1, 2));
        if (metrics.Top5 is { } top5 && metrics.Perplexity is null) yield return ("top-5", Words.Percent(top5, 2));
        if (metrics.Psnr is { } psnr) yield return ("PSNR", $"{Words.Digits(psnr)} dB");
        if (metrics.Ssim is { } ssim) yield return ("SSIM", FormattableString.Invariant($"{ssim:F4}"));
    }
}
