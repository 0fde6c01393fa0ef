using System.Diagnostics;
using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Passes;
using Fewbit.Tensors;

namespace Fewbit.Training;

public sealed partial class Trainer
{
    private readonly List<EpochReport> _epochs = [];
    private int _epoch, _stepInEpoch;
    private double _lossSum, _rate;
    private BestWeights? _best;

    /// <summary>Epochs that are complete.</summary>
    public IReadOnlyList<EpochReport> Epochs => _epochs;

    /// <summary>Trains for the epochs of the options, from where the trainer is.</summary>
    /// <param name="data">What to learn from.</param>
    /// <param name="validation">What to judge by after each epoch; null for nothing.</param>
    /// <param name="progress">Told after each step.</param>
    /// <param name="cancellation">Stops between two steps; the checkpoint, if there is one, is written first.</param>
    /// <exception cref="InvalidDataException">The loss is no finite number any more, or the checkpoint belongs to another training.</exception>
    public Task<TrainingResult> FitAsync(ITrainingSource data, ITrainingSource? validation = null, IProgress<TrainingProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        return Task.Run(() => Fit(data, validation, progress, cancellation), CancellationToken.None);
    }

    /// <summary>Judges the model as it is now; with an average of the weights, that is judged.</summary>
    public TrainingMetrics Evaluate(ITrainingSource data, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(data);
        return Evaluate(Model(Options.AverageDecay is not null), data, Options.Loss, cancellation);
    }

    /// <summary>Judges a model by its first output.</summary>
    public static TrainingMetrics Evaluate(Graph model, ITrainingSource data, LossOptions loss, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(data);
        string output = model.Outputs[0].Name;
        using var runner = new GraphRunner(Passes.ForExecution(model));
        var sums = new MetricSums(loss);
        foreach (IReadOnlyDictionary<string, Tensor> batch in data.Epoch(0, 0, cancellation))
        {
            cancellation.ThrowIfCancellationRequested();
            var inputs = batch.Where(pair => pair.Key != Target).ToDictionary(pair => pair.Key, pair => pair.Value, StringComparer.Ordinal);
            sums.Add(runner.Run(inputs, [output])[output], batch[Target]);
        }
        return sums.Result;
    }

    private TrainingResult Fit(ITrainingSource data, ITrainingSource? validation, IProgress<TrainingProgress>? progress, CancellationToken cancellation)
    {
        if (Options.KeepsBest && validation is null) throw new ArgumentException("keeping the best epoch needs validation data", nameof(validation));
        StepsPerEpoch = Options.StepsPerEpoch ?? data.StepsPerEpoch;
        if (StepsPerEpoch > data.StepsPerEpoch) throw new ArgumentException($"{data.Description}: has {data.StepsPerEpoch} batches, fewer than the {StepsPerEpoch} steps asked for as an epoch; ask for fewer, or choose a smaller batch", nameof(data));
        var checkpoints = Options.CheckpointPath is { } path ? new TrainingCheckpoint(this, path, data) : null;
        if (Options.Resumes) (checkpoints ?? throw new ArgumentException($"resuming needs {nameof(TrainingOptions.CheckpointPath)}")).Restore();
        try
        {
            while (_epoch < Options.Epochs)
            {
                double seconds = RunEpoch(data, checkpoints, progress, cancellation);
                TrainingMetrics? metrics = validation is null ? null : Evaluate(validation, cancellation);
                EndEpoch(metrics, seconds);
                checkpoints?.Save();
                progress?.Report(Progress() with { Ended = _epochs[^1] });
            }
        }
        catch (OperationCanceledException)
        {
            checkpoints?.Save();
            throw;
        }
        return new(_best is { } best ? ModelWith(best.Weights) : Model(Options.AverageDecay is not null), _epochs, _best?.Epoch ?? _epochs.Count);
    }

    /// <returns>Seconds that the steps took.</returns>
    private double RunEpoch(ITrainingSource data, TrainingCheckpoint? checkpoints, IProgress<TrainingProgress>? progress, CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp();
        int steps = StepsPerEpoch!.Value;
        if (_stepInEpoch < steps)
        {
            foreach (IReadOnlyDictionary<string, Tensor> batch in data.Epoch(_epoch, _stepInEpoch, cancellation))
            {
                cancellation.ThrowIfCancellationRequested();
                _rate = LearningRate;
                double loss = Step(batch);
                if (!double.IsFinite(loss)) throw new InvalidDataException($"the loss is {loss} at step {StepCount} (epoch {_epoch + 1}, learning rate {_rate:G4}): lower the learning rate, warm it up or clip gradients; detecting anomalies names the node where it begins");
                _lossSum += loss;
                _stepInEpoch++;
                progress?.Report(Progress());
                if (Options.CheckpointSteps is { } every && StepCount % every == 0 && _stepInEpoch < steps) checkpoints?.Save();
                if (_stepInEpoch == steps) break;
            }
            if (_stepInEpoch < steps) throw new InvalidDataException($"epoch {_epoch + 1} has {_stepInEpoch} batches, expected {steps}: {data.Description}");
        }
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private void EndEpoch(TrainingMetrics? metrics, double seconds)
    {
        _epochs.Add(new(_epoch + 1, StepCount, _lossSum / _stepInEpoch, _rate, metrics) { Seconds = seconds });
        if (metrics is not null && Options.Schedule is PlateauSchedule plateau) _plateau = _plateau.After(metrics.Headline, metrics.IsHigherBetter, plateau);
        if (Options.KeepsBest && BestWeights.IsBetter(metrics!, _best?.Metrics)) _best = new(_epoch + 1, metrics!, CopyWeights(Options.AverageDecay is not null));
        (_epoch, _stepInEpoch, _lossSum) = (_epoch + 1, 0, 0);
    }

    private TrainingProgress Progress() => new(Math.Min(_epoch + 1, Options.Epochs), Options.Epochs, StepCount, (long)StepsPerEpoch!.Value * Options.Epochs,
        _stepInEpoch == 0 ? _epochs[^1].Loss : _lossSum / _stepInEpoch, _rate);

    /// <summary>What of the state is no tensor.</summary>
    internal TrainingState State => new(StepCount, _epoch, _stepInEpoch, _lossSum, _rate, _plateau, [.. _epochs.Select(epoch => epoch with { Seconds = 0 })], _best?.Epoch ?? 0);

    /// <summary>All tensors of the state: weights, running statistics, states of the optimizer, averages.</summary>
    internal IEnumerable<(string Name, Tensor Tensor)> Variables => _training.Updates.Keys.Order(StringComparer.Ordinal).Select(name => (name, _training.Graph.Find(name)!.Constant!));

    /// <summary>The weights of the best epoch; none without.</summary>
    internal IReadOnlyDictionary<string, Tensor> BestTensors => _best?.Weights ?? new Dictionary<string, Tensor>();

    /// <summary>Takes over a state whose variables are in place already.</summary>
    internal void Restore(TrainingState state, IReadOnlyDictionary<string, Tensor> best)
    {
        (StepCount, _epoch, _stepInEpoch, _lossSum, _rate, _plateau) = (state.Step, state.Epoch, state.StepInEpoch, state.LossSum, state.LearningRate, state.Plateau);
        _epochs.Clear();
        _epochs.AddRange(state.Epochs);
        _best = state.BestEpoch == 0 ? null : new(state.BestEpoch, state.Epochs[state.BestEpoch - 1].Validation!, best);
    }
}
