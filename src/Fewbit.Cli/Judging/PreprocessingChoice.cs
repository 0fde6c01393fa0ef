using Fewbit.Cli.Console;
using Fewbit.Cli.Inspection;
using Fewbit.Data;
using Fewbit.Evaluation;
using Fewbit.Evaluation.Detection;
using Fewbit.Graphs;

namespace Fewbit.Cli.Judging;

/// <summary>The preprocessing that is used, and why.</summary>
/// <param name="Settings">Null where the data are arrays, which are taken as they are.</param>
/// <param name="Reason">Where it comes from, for people.</param>
/// <param name="IsGuess">True where nothing but the model's confidence, or the form of its output, speaks for it.</param>
internal sealed record PreprocessingChoice(Preprocessing? Settings, string Reason, bool IsGuess = false)
{
    /// <summary>Samples that presets are tried on.</summary>
    public const int TrialSamples = 64;

    /// <summary>The form of tables.</summary>
    public override string ToString() => Settings is null ? Reason : $"{Settings.Name}, {Reason}";

    /// <summary>Takes what is named, else what the model's metadata state, else the preset that does best on a few pictures.</summary>
    /// <param name="settings">What the user named.</param>
    /// <param name="graph">The model, for its metadata.</param>
    /// <param name="model">Runs it.</param>
    /// <param name="few">Pictures to try presets on.</param>
    /// <param name="output">For progress.</param>
    /// <param name="cancellation">Stops the trials.</param>
    public static PreprocessingChoice Make(DataSettings settings, Graph graph, IModelRunner model, DataSet few, CommandOutput output, CancellationToken cancellation)
    {
        if (!few.IsPictures) return new(null, settings.Preprocess is null ? "arrays as they are" : "arrays as they are (--preprocess is for pictures)");
        if (settings.Preprocess is { } named) return new(Preprocessing.Parse(named), "as asked for");
        if (PreprocessingMetadata.Read(graph) is { } stated) return new(stated, "as the model's metadata states");
        if (OfKind(model, few) is { } kind) return kind;
        int candidates = PreprocessingTrial.CandidateCount(model);
        IReadOnlyList<PreprocessingTrial>? trials = candidates == 0 ? [] : output.WithProgress("trying presets", candidates, "presets", progress => PreprocessingTrial.Rank(model, few, progress, cancellation));
        // A model that takes no pictures says so itself when the data are read.
        if (trials is []) return new(Preprocessing.ImageNet, "no preset fits the input");
        if (trials is null)
            throw new UsageException($"the model has no class scores to choose a preprocessing by; give --preprocess {string.Join("|", Preprocessing.Presets.Select(preset => preset.Name))} or a JSON file");
        bool isGuess = few.Labels is null;
        string figures = string.Join(", ", trials.Select(trial => $"{trial.Preprocessing.Name} {Words.Percent(trial.Top1 ?? trial.Confidence)}"));
        bool isTie = trials.Any(trial => trial.Top1 > trials[0].Top1);
        string how = isGuess ? $"a guess by mean confidence (scores scaled to one spread) on {few.Count} unlabelled pictures" : $"the best of the presets by float top-1 on {few.Count} pictures{(isTie ? " (the most confident of those that they do not tell apart)" : "")}";
        return new(trials[0].Preprocessing, $"{how}: {figures}", isGuess);
    }

    /// <summary>What a model is fed that its inputs and outputs show to be no classifier; null where they do not.</summary>
    private static PreprocessingChoice? OfKind(IModelRunner model, DataSet few)
    {
        if (DetectionDecoder.TryFor(model) is { } decoder) return new(decoder.Preprocessing, $"as {decoder.Name} detectors are fed, whose outputs the model has");
        if (PictureMetric.OutputOf(model) is not { } output) return null;
        Preprocessing settings = PictureInput.TryFrom(model.Inputs[0])!.Channels == 1 ? Preprocessing.Luma : Preprocessing.ZeroToOne;
        const string reason = "as models that give pictures are fed";
        if (few.TargetScale is not (> 1 and <= 8 and int scale)) return new(settings, reason, IsGuess: few.TargetScale is null);
        SampleBatch one = new SampleBatches(few.Subset([0], "one picture"), model.Inputs, settings, new() { BatchSize = 1, Threads = 1 }).First();
        bool keepsSize = model.Run(one.Inputs)[output.Name].Shape[3] == one.Inputs.Values.First().Shape[3];
        return keepsSize ? new(settings with { Enlarge = scale, Name = $"{settings.Name} enlarged {scale} times" }, $"{reason} that they do not enlarge themselves") : new(settings, reason);
    }
}
