using Fewbit.Data;
using Fewbit.Graphs;

namespace Fewbit.Cli.Judging;

/// <summary>Judges, before anything else is done, whether the float model works on the data as they are fed.</summary>
/// <param name="Top1">Share of labels that the float model ranks first; null where there are none or it is no classifier.</param>
/// <param name="Samples">Samples that it was measured on.</param>
/// <param name="NearChance">The top-1 below which a model is as good as guessing.</param>
/// <param name="LabelOrder">Another order of classes that explains the predictions far better; null where the labels fit.</param>
internal sealed record FloatCheck(double? Top1, int Samples, double NearChance, LabelOrder? LabelOrder)
{
    public bool IsNearChance => Top1 < NearChance;

    public static FloatCheck Of(PreprocessingTrial? trial, DataSet data)
    {
        if (trial is null || data.Labels is not { } labels) return new(null, data.Count, 0, null);
        return new(trial.Top1, data.Count, NearChanceOf(labels), LabelOrder.Detect(trial.Predictions.Top, labels, trial.Predictions.Classes, data.ClassNames));
    }

    /// <summary>The smaller of 3c and c + 10 points, c being the share of the largest class.</summary>
    internal static double NearChanceOf(IReadOnlyList<int> labels)
    {
        double largest = (double)labels.CountBy(label => label).Max(pair => pair.Value) / labels.Count;
        return Math.Min(3 * largest, largest + 0.1);
    }

    /// <summary>Why the float model is near chance and what to do.</summary>
    /// <param name="used">The preprocessing used; null for arrays.</param>
    /// <param name="model">The float model.</param>
    /// <param name="data">The data it was measured on.</param>
    /// <param name="cancellation">Stops the trials.</param>
    public string Explain(Preprocessing? used, IModelRunner model, DataSet data, CancellationToken cancellation)
    {
        string found = $"float top-1 is {Words.Percent(Top1 ?? double.NaN)} on {Words.Plural(Samples, "sample")}, near chance (below {Words.Percent(NearChance)})";
        const string force = "--force goes on all the same";
        if (LabelOrder is not null) return $"{found}: {LabelOrder.Message}; {force}";
        IReadOnlyList<PreprocessingTrial> trials = (used is null ? null : PreprocessingTrial.Rank(model, data, null, cancellation)) ?? [];
        if (trials is [{ Top1: { } best } first, ..] && best >= NearChance)
            return $"{found}: preprocessing '{used!.Name}' does not suit this model: --preprocess {first.Preprocessing.Name} gives {Words.Percent(best)}; {force}";
        // Where no preset does, the labels may be in another order under one of them.
        (PreprocessingTrial Trial, LabelOrder Order)[] orders = [.. trials.Select(trial => (trial, order: Of(trial, data).LabelOrder)).Where(pair => pair.order is not null).Select(pair => (pair.trial, pair.order!)).OrderByDescending(pair => pair.Item2.After)];
        if (orders is [var likely, ..]) return $"{found}: with --preprocess {likely.Trial.Preprocessing.Name} {likely.Order.Message}; {force}";
        string tried = trials.Count == 0 ? "" : $"; no preset does better ({string.Join(", ", trials.Select(trial => $"{trial.Preprocessing.Name} {Words.Percent(trial.Top1 ?? double.NaN)}"))})";
        return $"{found}{tried}: check that labels and model belong together (--labels FILE), and how its pictures were prepared (--preprocess FILE); {force}";
    }
}
