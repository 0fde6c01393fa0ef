using System.Globalization;
using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Storage;

namespace Fewbit.Promises;

/// <summary>Looks for a quantized model that keeps a promised accuracy.</summary>
/// <remarks>
/// Candidates are chosen on samples of their own, and only the chosen one is judged on the held-out samples, by a one-sided bound that is exact at any number of samples. Where it
/// fails there, the next one is looked at with a more confident bound (<see cref="HeldOutLook.Confidence"/>); where it holds, smaller ones are looked at in a settled order with the
/// same confidence until one fails, which costs nothing: the first that loses too much has one chance to pass. In at most 5 % of searches a model is promised more than it holds.
/// </remarks>
public static class PromiseSearch
{
    private const int MostSmallerLooks = 4;

    /// <summary>Searches until the promise is kept, nothing is left to try, or time is up.</summary>
    /// <param name="original">The float model, a classifier.</param>
    /// <param name="samples">The data.</param>
    /// <param name="options">The promise.</param>
    /// <param name="engine">Loads a model: candidates are judged with it.</param>
    /// <param name="save">Writes the best model so far; called at each improvement.</param>
    /// <param name="complete">Adds to each candidate what its file shall hold besides, such as metadata; null for nothing.</param>
    /// <param name="progress">Told what is tried.</param>
    /// <param name="cancellation">Stops the search: the result is then what was best so far.</param>
    /// <exception cref="OperationCanceledException">It was stopped before there was a candidate.</exception>
    /// <exception cref="InvalidDataException">The model has no class scores or cannot be quantized, or the checkpoint is of another search.</exception>
    public static PromiseResult Run(Graph original, PromiseSamples samples, PromiseOptions options, Func<Graph, IModelRunner> engine, Action<QuantizationResult> save,
        Action<Graph>? complete = null, IProgress<PromiseProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(samples);
        ArgumentNullException.ThrowIfNull(engine);
        if (options.Smallest) options = options with { Start = options.Start with { Container = WeightContainer.Small } };
        progress?.Report(new("float model", "judging"));
        PromiseJudge judge;
        using (IModelRunner model = engine(original)) judge = new(AnswerKey.Of(model, samples.Choosing, cancellation), AnswerKey.Of(model, samples.HeldOut, cancellation), engine, save);
        PromiseCheckpoint checkpoint = PromiseCheckpoint.Open(options.Checkpoint, FingerprintOf(original, samples, options));
        var trials = new PromiseTrials(options, judge, checkpoint, progress, cancellation);
        var maker = new CandidateMaker(original, samples.Calibration, options, checkpoint, cancellation) { Complete = complete, Progress = new Relay(progress) };
        bool isStopped = false;
        try
        {
            Search(new PromiseLadder(original, maker, trials, options, cancellation), new BitDescent(maker, trials, options, engine, cancellation), trials, options);
        }
        catch (OperationCanceledException) when (trials.Best is not null)
        {
            isStopped = true;
        }
        return trials.Finish(isStopped);
    }

    private static void Search(PromiseLadder ladder, BitDescent descent, PromiseTrials trials, PromiseOptions options)
    {
        if (options.Smallest && ladder.Climb(trial => trial.IsExpected) is { } start)
        {
            Trial widest = trials.All.First(trial => trial.IsExpected);
            descent.Run(start);
            // As long as looks succeed the next one, at a smaller candidate, costs no confidence: which comes next was settled before the first.
            IReadOnlyList<Trial> smaller = Spread([.. trials.All.Where(trial => trial.IsExpected && trial.Candidate.FileBytes < widest.Candidate.FileBytes).OrderByDescending(trial => trial.Candidate.FileBytes)]);
            if (trials.Look(widest)) _ = smaller.All(trials.Look);
            if (trials.Kept is not null || !trials.CanShow) return;
        }
        ladder.Climb(trial => trial.IsExpected && (trials.Look(trial) || !trials.CanShow));
    }

    /// <summary>At most four of them, the last included.</summary>
    private static IReadOnlyList<Trial> Spread(Trial[] trials)
    {
        int count = Math.Min(MostSmallerLooks, trials.Length);
        return [.. Enumerable.Range(1, count).Select(i => trials[i * trials.Length / count - 1])];
    }

    private static ArtifactFingerprint FingerprintOf(Graph original, PromiseSamples samples, PromiseOptions options)
    {
        var constants = original.Constants.ToDictionary(value => value.Name, value => value.Constant!, StringComparer.Ordinal);
        string[] nodes = [.. original.Nodes.Select(node => $"{node}({string.Join(',', node.Inputs.Select(input => input?.Name))})")];
        string[] data = [.. new[] { samples.Calibration, samples.Choosing, samples.HeldOut }.Select(part => part.First()).Select(batch => $"{ContentHash.OfTensors(batch.Inputs)} {batch.Count} {string.Join(',', batch.Labels ?? [])}")];
        QuantizationOptions start = options.Start;
        return new(ContentHash.OfText([ContentHash.OfTensors(constants), .. nodes]), ContentHash.OfText(data), ContentHash.OfText(
            [string.Create(CultureInfo.InvariantCulture, $"{options.MaxDrop} {options.Smallest} {options.Seed}"), start.ToString(), .. start.Exclude, .. start.Overrides.Select(layer => layer.ToString())]));
    }

    private sealed class Relay(IProgress<PromiseProgress>? progress) : IProgress<QuantizationProgress>
    {
        public void Report(QuantizationProgress value) => progress?.Report(new("", value.Stage, value));
    }
}
