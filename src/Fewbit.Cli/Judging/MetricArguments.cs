using System.CommandLine;
using Fewbit.Cli.Console;
using Fewbit.Data;
using Fewbit.Evaluation;
using Fewbit.Evaluation.Detection;
using Fewbit.Graphs;

namespace Fewbit.Cli.Judging;

/// <summary>What a model is judged by.</summary>
/// <param name="Name">The metric; null takes what suits data and model.</param>
/// <param name="Decoder">How a detector's outputs become boxes; null takes the one that fits.</param>
/// <param name="TrueScore">Score from which on the float model's boxes are the truth; null takes the decoder's.</param>
/// <param name="SuppressedOverlap">Overlap above which the less sure of two boxes is dropped; null takes the decoder's.</param>
/// <param name="Prompt">Tokens at the start of a row that a language model is given and not judged on.</param>
internal sealed record MetricSettings(string? Name = null, string? Decoder = null, double? TrueScore = null, double? SuppressedOverlap = null, int Prompt = 1)
{
    /// <summary>Starts the metric for a model on data; null judges class scores, by labels where there are some.</summary>
    /// <exception cref="InvalidDataException">The metric asked for does not go with the model or the data: the message says what it needs.</exception>
    public Func<PairedMetric>? Choose(IModelRunner model, DataSet data)
    {
        // Labels do not make a classifier of a detector, whose outputs are told apart by their shapes.
        if (Name is null) return data.TargetScale is not null ? Pictures(model, data) : Boxes(model, isAsked: Decoder is not null) ?? (data.Labels is null ? Tokens(model) : null);
        if (Name == Metric.Psnr.Name) return Pictures(model, data);
        if (Name == Metric.MapVsFloat.Name) return Boxes(model, isAsked: true);
        if (Name == Metric.Perplexity.Name)
        {
            return Tokens(model) ?? throw new InvalidDataException($"--metric perplexity needs a model that takes token numbers [N, T] and gives scores [N, T, kinds]; this one takes {string.Join(", ", model.Inputs)} "
                + $"and gives {string.Join(", ", model.Outputs)}");
        }
        if (Name == Metric.Top1.Name && data.Labels is null) throw new InvalidDataException($"--metric top1 needs labels, and {data.Description}; --metric agreement compares with the float model");
        return null;
    }

    /// <summary>The score asked for.</summary>
    /// <exception cref="InvalidDataException">The model has no class scores, and the metric is of these.</exception>
    public PairedScore? ScoreOf(EvaluationResult result)
    {
        if (Name != Metric.Top1.Name && Name != Metric.Agreement.Name) return result.Score;
        ClassificationResult classes = result.Classification ?? throw new InvalidDataException($"--metric {Name} needs class scores, and no output of the model is of shape [N, classes]");
        return Name == Metric.Top1.Name ? PairedScore.Top1(classes) : PairedScore.Agreement(classes);
    }

    private static Func<PairedMetric> Pictures(IModelRunner model, DataSet data)
    {
        if (data.TargetScale is null) throw new InvalidDataException($"--metric psnr needs the pictures in high resolution: --reference DIR, beside {data.Description}");
        if (PictureMetric.TryFor(model, data) is null)
            throw new InvalidDataException($"--metric psnr needs a model that makes pictures [N, 1 or 3, H, W] of pictures; this one takes {string.Join(", ", model.Inputs)} and gives {string.Join(", ", model.Outputs)}");
        return () => PictureMetric.TryFor(model, data)!;
    }

    private Func<PairedMetric>? Tokens(IModelRunner model) => PerplexityMetric.TryFor(model) is null ? null : () => PerplexityMetric.TryFor(model, Prompt)!;

    private Func<PairedMetric>? Boxes(IModelRunner model, bool isAsked)
    {
        DetectionDecoder? decoder = isAsked ? DetectionDecoder.For(model, Decoder) : DetectionDecoder.TryFor(model);
        var options = new DetectionMetricOptions { TrueScore = TrueScore, SuppressedOverlap = SuppressedOverlap };
        return decoder is null ? null : () => new DetectionMetric(decoder, options);
    }
}

/// <summary>The options that choose a metric.</summary>
internal sealed class MetricArguments
{
    private readonly Option<string?> _metric = new("--metric") { Description = $"What is judged by: {string.Join(", ", Metric.All.Select(metric => metric.Name))}. Default: what suits the data and the model.", HelpName = "NAME" };
    private readonly Option<string?> _decoder = new("--decoder") { Description = $"How a detector's outputs become boxes: {string.Join(", ", DetectionDecoder.Known.Keys)}. Default: the one that fits.", HelpName = "NAME" };
    private readonly Option<double?> _score = new("--score-threshold") { Description = "map-vs-float: score from which on the float model's boxes count as true. Default: the decoder's.", HelpName = "SHARE" };
    private readonly Option<double?> _overlap = new("--nms") { Description = "map-vs-float: overlap above which the less sure of two boxes of a class is dropped. Default: the decoder's.", HelpName = "SHARE" };

    private readonly Option<int> _prompt = new("--prompt") { Description = "perplexity: tokens at the start of each row that are given and not judged.", HelpName = "N", DefaultValueFactory = _ => 1 };

    public MetricArguments()
    {
        _metric.AcceptOnlyFromAmong([.. Metric.All.Select(metric => metric.Name)]);
        _decoder.AcceptOnlyFromAmong([.. DetectionDecoder.Known.Keys]);
    }

    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { _metric, _decoder, _score, _overlap, _prompt }) command.Options.Add(option);
    }

    public MetricSettings Read(ParseResult parsed)
    {
        var settings = new MetricSettings(parsed.GetValue(_metric), parsed.GetValue(_decoder), parsed.GetValue(_score), parsed.GetValue(_overlap), parsed.GetValue(_prompt));
        if (settings.TrueScore is not (null or (> 0 and <= 1))) throw new UsageException($"--score-threshold is {settings.TrueScore}, expected above 0 and at most 1");
        if (settings.SuppressedOverlap is not (null or (>= 0 and <= 1))) throw new UsageException($"--nms is {settings.SuppressedOverlap}, expected 0 to 1");
        if (settings.Prompt < 1) throw new UsageException($"--prompt is {settings.Prompt}, expected at least 1: the first token has none before it");
        return settings;
    }
}
