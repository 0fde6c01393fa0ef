using Fewbit.Data;
using Fewbit.Graphs;

namespace Fewbit.Cli.Judging;

/// <summary>What a model says of a few pictures under one preprocessing.</summary>
/// <param name="Preprocessing">The settings.</param>
/// <param name="Top1">Share of labels ranked first; null without labels.</param>
/// <param name="Confidence">Mean probability of the most likely class: a guess where there are no labels.</param>
/// <param name="Predictions">What the model said.</param>
internal sealed record PreprocessingTrial(Preprocessing Preprocessing, double? Top1, double Confidence, Predictions Predictions)
{
    private const int LargestWhole = 64;

    /// <summary>Tries the presets that fit a model on pictures, the best first: by top-1 where there are labels and they tell, else by mean confidence.</summary>
    /// <returns>Null where the model is no classifier.</returns>
    public static IReadOnlyList<PreprocessingTrial>? Rank(IModelRunner model, DataSet pictures, IProgress<long>? progress, CancellationToken cancellation)
    {
        var trials = new List<PreprocessingTrial>();
        foreach (Preprocessing candidate in Candidates(model))
        {
            if (Try(model, pictures, candidate, cancellation) is not { } trial) return null;
            trials.Add(trial);
            progress?.Report(trials.Count);
        }
        double indistinguishable = Indistinguishable(trials.Max(trial => trial.Top1), pictures.Count);
        return [.. trials.OrderByDescending(trial => trial.Top1 is null || trial.Top1 >= indistinguishable).ThenByDescending(trial => trial.Top1 >= indistinguishable ? trial.Confidence : trial.Top1 ?? trial.Confidence)];
    }

    /// <summary>Two standard errors below the best top-1: what lies above is as good as far as so few pictures tell.</summary>
    private static double Indistinguishable(double? best, int count) => best is { } share ? share - 2 * Math.Sqrt(share * (1 - share) / count) : 0;

    /// <summary>Tries one preprocessing; null where the model is no classifier.</summary>
    public static PreprocessingTrial? Try(IModelRunner model, DataSet data, Preprocessing? preprocessing, CancellationToken cancellation) =>
        Predictions.Of(model, new SampleBatches(data, model.Inputs, preprocessing), null, cancellation) is { } predictions
            ? new(preprocessing ?? Preprocessing.ZeroTo255, data.Labels is { } labels ? predictions.Top1(labels) : null, predictions.MeanConfidence, predictions)
            : null;

    /// <summary>Number of presets that <see cref="Rank"/> tries.</summary>
    public static int CandidateCount(IModelRunner model) => Candidates(model).Length;

    /// <summary>The presets that fit the input's channels.</summary>
    private static Preprocessing[] Candidates(IModelRunner model)
    {
        if (model.Inputs is not [var only] || PictureInput.TryFrom(only) is not { } input) return [];
        IEnumerable<Preprocessing> presets = Preprocessing.ClassifierPresets.Where(preset => preset.Fits(input.Channels));
        // Both have the same numbers; only small models take whole pictures.
        return [.. presets.Where(preset => preset.Name != (input.Width <= LargestWhole ? "imagenet" : "cifar10"))];
    }
}
