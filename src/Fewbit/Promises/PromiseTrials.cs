using System.Diagnostics;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Quantization;

namespace Fewbit.Promises;

/// <summary>How a search judges: where its samples, time and results are.</summary>
/// <param name="Choosing">Answers on the choosing samples.</param>
/// <param name="HeldOut">Answers on the held-out samples.</param>
/// <param name="Engine">Loads a model.</param>
/// <param name="Save">Writes the best model so far.</param>
internal sealed record PromiseJudge(AnswerKey Choosing, AnswerKey HeldOut, Func<Graph, IModelRunner> Engine, Action<QuantizationResult> Save)
{
    public PromiseMeasure Measure => HeldOut.Measure;
}

/// <summary>A candidate that can be made again.</summary>
internal sealed class Trial(PromiseCandidate candidate, Func<QuantizationResult> make)
{
    /// <summary>What is known of it.</summary>
    public PromiseCandidate Candidate { get; set; } = candidate;

    /// <summary>Makes the model.</summary>
    public Func<QuantizationResult> Make => make;

    /// <summary>Whether the choosing samples let expect that the promise is kept, and no look has said otherwise.</summary>
    public bool IsExpected { get; set; }
}

/// <summary>Tries candidates: makes, judges on the choosing samples, asks the held-out samples, and keeps the best saved.</summary>
internal sealed class PromiseTrials
{
    private readonly PromiseOptions _options;
    private readonly PromiseJudge _judge;
    private readonly PromiseCheckpoint _checkpoint;
    private readonly IProgress<PromiseProgress>? _progress;
    private readonly CancellationToken _cancellation;
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private readonly List<Trial> _trials = [];
    private long _weights;
    private int _looks;
    private Trial? _saved;

    public PromiseTrials(PromiseOptions options, PromiseJudge judge, PromiseCheckpoint checkpoint, IProgress<PromiseProgress>? progress, CancellationToken cancellation) =>
        (_options, _judge, _checkpoint, _progress, _cancellation) = (options, judge, checkpoint, progress, cancellation);

    /// <summary>All that were tried, in order.</summary>
    public IReadOnlyList<Trial> All => _trials;

    /// <summary>The one that was shown to keep the promise; null while there is none.</summary>
    public Trial? Kept { get; private set; }

    /// <summary>The best so far; null before the first.</summary>
    public Trial? Best => Kept ?? _trials.MinBy(Rank);

    /// <summary>Time of the search, with that of the run that it goes on from.</summary>
    public TimeSpan Time => _watch.Elapsed + _checkpoint.Time;

    /// <summary>Time that is left.</summary>
    public TimeSpan Left => _options.TimeBudget > Time ? _options.TimeBudget - Time : TimeSpan.Zero;

    /// <summary>True once something was left out for want of time.</summary>
    public bool IsOutOfTime { get; private set; }

    /// <summary>Whether the held-out samples can show a kept promise at all.</summary>
    public bool CanShow => _judge.HeldOut.Count >= HeldOutLooks.SamplesNeeded(_options.LargestDrop);

    /// <summary>False, and remembered, where no time is left.</summary>
    public bool HasTime()
    {
        if (Left == TimeSpan.Zero) IsOutOfTime = true;
        return Left > TimeSpan.Zero;
    }

    /// <summary>Tells what is done for a candidate before it is tried.</summary>
    public void Announce(string what, string stage) => _progress?.Report(new(what, stage));

    /// <summary>Makes a candidate, judges it on the choosing samples, and saves it if it is the best so far.</summary>
    public Trial Try(string name, Func<QuantizationResult> make)
    {
        _cancellation.ThrowIfCancellationRequested();
        if (_trials.Find(known => known.Candidate.Name == name) is { } repeated) return repeated;
        long start = Stopwatch.GetTimestamp();
        _progress?.Report(new(name, "making"));
        PromiseCandidate? known = _checkpoint.Find(name);
        QuantizationResult? result = known is null ? make() : null;
        PromiseCandidate candidate = known is null ? Judge(name, result!) with { Seconds = Stopwatch.GetElapsedTime(start).TotalSeconds } : known with { HeldOut = null, IsKept = false };
        if (_trials.Count == 0) _weights = _checkpoint.Weights ?? CountOf(result!);
        var trial = new Trial(candidate, make) { IsExpected = Expects(candidate.Choosing) };
        _trials.Add(trial);
        if (known is null) _checkpoint.Keep(candidate, _weights, Time);
        SaveIfBest(trial, result);
        _progress?.Report(new(name, "judged", null, candidate));
        return trial;
    }

    /// <summary>Asks the held-out samples; each look behind a failed one costs confidence, so only what is expected to keep the promise is looked at.</summary>
    /// <returns>Whether the promise is kept.</returns>
    public bool Look(Trial trial)
    {
        _cancellation.ThrowIfCancellationRequested();
        _progress?.Report(new(trial.Candidate.Name, "held-out samples"));
        // Behind a success the order of looks is settled, and the next has the same confidence.
        int number = Kept is null ? ++_looks : _looks;
        QuantizationResult? result = null;
        HeldOutLook? look = _checkpoint.Find(trial.Candidate.Name)?.HeldOut;
        if (look is null)
        {
            result = trial.Make();
            PairedOutcome outcome = Compare(result, _judge.HeldOut);
            double confidence = HeldOutLooks.ConfidenceOf(number);
            look = new(number, outcome, confidence, outcome.UpperBound(confidence));
        }
        bool isKept = look.Bound <= _options.LargestDrop;
        trial.Candidate = trial.Candidate with { HeldOut = look, IsKept = isKept };
        trial.IsExpected = isKept;
        if (isKept) Kept = trial;
        _checkpoint.Keep(trial.Candidate, _weights, Time);
        SaveIfBest(trial, result);
        _progress?.Report(new(trial.Candidate.Name, "looked", null, trial.Candidate));
        return isKept;
    }

    /// <summary>The result, once the search has ended.</summary>
    public PromiseResult Finish(bool isStopped)
    {
        Trial best = Best!;
        QuantizationResult model = best.Make();
        PromiseCandidate[] all = [.. _trials.Select(trial => trial.Candidate)];
        PromiseCandidate Marked(PromiseCandidate one) => one with { IsPareto = !all.Any(other => Dominates(other, one)) };
        PromiseVerdict verdict = Kept is not null ? PromiseVerdict.Kept : !CanShow ? PromiseVerdict.TooFewSamples : isStopped ? PromiseVerdict.Stopped : PromiseVerdict.Missed;
        return new(verdict, _options.MaxDrop, _judge.Measure, model, Marked(best.Candidate), [.. all.Select(Marked)], _judge.HeldOut.Count,
            HeldOutLooks.SamplesNeeded(_options.LargestDrop), _judge.HeldOut.Top1, Time) { IsOutOfTime = IsOutOfTime };
    }

    private static bool Dominates(PromiseCandidate other, PromiseCandidate one) =>
        other.Bound <= one.Bound && other.FileBytes <= one.FileBytes && (other.Bound < one.Bound || other.FileBytes < one.FileBytes);

    /// <summary>Whether as many held-out samples as the choosing ones would show a kept promise at the next look. Where they are too few, as if there were enough.</summary>
    private bool Expects(PairedOutcome choosing)
    {
        long samples = Math.Max(_judge.HeldOut.Count, HeldOutLooks.SamplesNeeded(_options.LargestDrop));
        return choosing.ScaledTo(samples).UpperBound(HeldOutLooks.ConfidenceOf(_looks + 1)) <= _options.LargestDrop;
    }

    private PromiseCandidate Judge(string name, QuantizationResult result)
    {
        _progress?.Report(new(name, "judging"));
        PairedOutcome outcome = Compare(result, _judge.Choosing);
        return new(name, MeanBits(result), OnnxFile.ToBytes(result.Model).LongLength, outcome, outcome.UpperBound(0.95), null);
    }

    private PairedOutcome Compare(QuantizationResult result, AnswerKey key)
    {
        using IModelRunner model = _judge.Engine(result.Model);
        return key.Compare(model, _judge.Measure, _cancellation);
    }

    private double MeanBits(QuantizationResult result)
    {
        long all = _trials.Count == 0 ? CountOf(result) : _weights, coded = CountOf(result);
        double bits = result.Report.Weights.DistinctBy(weight => weight.Name).Sum(weight => (double)weight.ElementCount * weight.Format.BitWidth);
        return all == 0 ? 32 : (bits + 32.0 * Math.Max(0, all - coded)) / Math.Max(all, coded);
    }

    private static long CountOf(QuantizationResult result) => result.Report.Weights.DistinctBy(weight => weight.Name).Sum(weight => weight.ElementCount);

    /// <summary>Lower is better: what is expected to keep the promise, the first or the smallest of it; else the fewest losses.</summary>
    private (int, double, double, int) Rank(Trial trial)
    {
        PromiseCandidate candidate = trial.Candidate;
        return trial.IsExpected ? (0, _options.Smallest ? candidate.FileBytes : 0, _options.Smallest ? candidate.WeightBits : 0, _trials.IndexOf(trial)) : (1, candidate.Choosing.Drop, candidate.Choosing.MeanKl, 0);
    }

    private void SaveIfBest(Trial trial, QuantizationResult? result)
    {
        Trial best = Best!;
        if (best == _saved) return;
        _judge.Save(best == trial && result is not null ? result : best.Make());
        _saved = best;
    }
}
