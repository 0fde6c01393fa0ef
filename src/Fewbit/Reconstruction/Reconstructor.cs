using System.Diagnostics;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Storage;
using Fewbit.Tensors;

namespace Fewbit.Reconstruction;

/// <summary>Walks over the units of a network and lets each learn until it computes what the float unit computes, for every method of learned rounding.</summary>
/// <remarks>
/// Features at the cuts are computed once, unit by unit: teacher features with the float unit, student features with the quantized one after it has learned.
/// Random numbers are a function of (seed, pass, unit, step), so that work can be continued anywhere to the same bytes.
/// </remarks>
internal sealed class Reconstructor
{
    private static readonly TimeSpan s_reportInterval = TimeSpan.FromMilliseconds(200);
    private readonly Graph _prepared;
    private readonly ReconstructionOptions _options;
    private readonly Func<ActivationSite, Tensor, QuantizationParameters> _fit;
    private readonly IReadOnlyList<ReconstructionUnit> _units;
    private readonly IReadOnlyList<IReadOnlyList<ReconstructionUnit>> _learning;
    private readonly StepBudget _budget;
    private readonly UnitPropagation _propagation;
    private readonly FeatureCache _cache;
    private readonly List<UnitReport> _reports = [];
    private readonly Stopwatch _watch = new();
    private IReadOnlyDictionary<string, Tensor> _samples = new Dictionary<string, Tensor>();
    private ReconstructionCheckpoint? _resumed;
    private ArtifactFingerprint? _fingerprint;
    private TimeSpan _lastCheckpoint, _lastReport, _before, _passStart, _stepTime;
    private long _stepsDone, _stepsInAll;
    private int _sampleCount;

    /// <param name="prepared">A graph that <see cref="Preparation"/> made; it stays as it is.</param>
    /// <param name="sites">Where quantizers stand.</param>
    /// <param name="grids">Scales and zero points of each weight, by the name of the node that reads it.</param>
    /// <param name="fit">Finds scale and zero point of an activation from its values.</param>
    /// <param name="options">Passes and limits.</param>
    public Reconstructor(Graph prepared, QuantizerSites sites, IReadOnlyDictionary<string, QuantizationParameters> grids, Func<ActivationSite, Tensor, QuantizationParameters> fit, ReconstructionOptions options)
    {
        (_prepared, _options, _fit) = (prepared, options, fit);
        State = new(sites, grids);
        _units = UnitFinder.Find(prepared, sites.Weights.Select(site => site.Node), options.Granularity);
        _propagation = new(prepared);
        _cache = new(options.FeatureBytes, options.ScratchFolder);
        _learning = [.. options.Passes.Select(pass => (IReadOnlyList<ReconstructionUnit>)[.. _units.Where(unit => Learns(unit, pass))])];
        _budget = new(options, _learning);
    }

    /// <summary>What is decided so far.</summary>
    public QuantizedState State { get; }

    /// <summary>The units, in the order in which they learn.</summary>
    public IReadOnlyList<ReconstructionUnit> Units => _units;

    /// <summary>What became of the units so far.</summary>
    public IReadOnlyList<UnitReport> Reports => _reports;

    /// <summary>Does all passes.</summary>
    /// <param name="samples">For each input of the model, all samples along dimension 0.</param>
    /// <param name="progress">Told where the work stands, a few times a second.</param>
    /// <param name="cancellation">Stops the work; a checkpoint is written first if there is a file for it.</param>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    /// <exception cref="InvalidDataException">The network cannot be reconstructed, or the checkpoint is of other work.</exception>
    /// <exception cref="ArgumentException">The samples do not serve, or steps are given for a unit that does not learn.</exception>
    public void Run(IReadOnlyDictionary<string, Tensor> samples, IProgress<ReconstructionProgress>? progress = null, CancellationToken cancellation = default)
    {
        (_samples, _sampleCount) = (samples, (int)(samples.Values.FirstOrDefault()?.Shape[0] ?? throw new ArgumentException("no samples are given", nameof(samples))));
        foreach ((string name, Tensor tensor) in samples)
        {
            if (tensor.Rank == 0 || tensor.Shape[0] != _sampleCount) throw new ArgumentException($"input '{name}' is given {tensor}, expected {_sampleCount} samples along dimension 0 as for the other inputs", nameof(samples));
        }
        foreach (ReconstructionPass pass in _options.Passes.Where(pass => pass.Learns && !pass.DrawsWithRepeats && pass.BatchSize > _sampleCount))
            throw new ArgumentException($"{_sampleCount} samples are given, pass '{pass.Name}' needs at least {pass.BatchSize}, its batch size; give more samples or make the batch smaller", nameof(samples));
        if (_options.Passes.Any(pass => pass.Learns && pass.Objective.NeedsGradients) && (_prepared.Outputs.Count != 1 || _prepared.Outputs[0].Shape is { Rank: not 2 }))
            throw new ArgumentException($"Fisher weights need one output of class scores [samples, classes], the model has {string.Join(", ", _prepared.Outputs)}; learn on the output error instead");
        _budget.CheckPinned();
        _watch.Restart();
        _stepsInAll = Enumerable.Range(0, _learning.Count).Sum(StepsAsked);
        if (_options.Checkpoint is { } path)
        {
            _fingerprint = ReconstructionCheckpoint.FingerprintOf(_prepared, samples, _options, State);
            _resumed = ReconstructionCheckpoint.TryRead(path, _fingerprint, State);
            _reports.AddRange(_resumed?.Reports ?? []);
            _before = _resumed?.Elapsed ?? TimeSpan.Zero;
        }
        int first = _resumed?.Pass ?? 0;
        _stepsDone = Enumerable.Range(0, first).Sum(StepsAsked);
        for (int pass = first; pass < _options.Passes.Count; pass++) Run(pass, progress, cancellation);
        _cache.Clear();
    }

    private long StepsAsked(int pass) => _learning[pass].Sum(unit => (long)_budget.AskedOf(_options.Passes[pass], unit));

    private bool Learns(ReconstructionUnit unit, ReconstructionPass pass)
    {
        if (!pass.Learns || unit.Layers.Count == 0 || (pass.SkipsFirst && IsFirst(unit))) return false;
        return pass.Rounding is not null || State.ActivationsOf(unit).Any();
    }

    /// <summary>True where a unit's layer reads inputs of the model, with no layer in between.</summary>
    private static bool IsFirst(ReconstructionUnit unit) => unit.Inputs.Any(IsBeforeLayers);

    private static bool IsBeforeLayers(Value value) => value.Producer is not { } producer || (producer.OpType is not ("Conv" or "Gemm" or "MatMul") && ActivationFlow.Reads(producer).All(IsBeforeLayers));

    private void Run(int passIndex, IProgress<ReconstructionProgress>? progress, CancellationToken cancellation)
    {
        ReconstructionPass pass = _options.Passes[passIndex];
        if (pass.QuantizesActivations) FitRanges(cancellation);
        Start(pass);
        Tensor? logits = pass.Objective.NeedsGradients ? FloatOutput() : null;
        if (_budget.NeedsTimes) _budget.Time(new StepTimer(_prepared, _units, State, _propagation).Run(pass, _learning[passIndex], _samples, cancellation));
        (_passStart, _stepTime) = (_watch.Elapsed, TimeSpan.Zero);
        int learned = 0, count = _learning[passIndex].Count;
        for (int u = 0; u < _units.Count && learned < count; u++)
        {
            ReconstructionUnit unit = _units[u];
            cancellation.ThrowIfCancellationRequested();
            Propagate(unit, isTeacher: true, pass);
            bool isDone = _resumed is not null && u < _resumed.Unit;
            if (Learns(unit, pass))
            {
                if (isDone) _stepsDone += _budget.AskedOf(pass, unit);
                else Learn(unit, (passIndex, u), logits, (learned, count), progress, cancellation);
                learned++;
            }
            if (pass.Input.ReadsStudent) Propagate(unit, isTeacher: false, pass);
            _cache.KeepFor(_units.Skip(u + 1));
        }
        _cache.Clear();
        _resumed = null;
    }

    private void Start(ReconstructionPass pass)
    {
        _cache.Clear();
        foreach (Value input in _prepared.Inputs.Where(input => input.Constant is null))
        {
            Tensor samples = _samples.GetValueOrDefault(input.Name) ?? throw new ArgumentException($"no samples are given for input {input}");
            _cache.Share(input, isTeacher: true, samples);
            bool isQuantized = pass.QuantizesActivations && State.Activations.ContainsKey(input.Name);
            _cache.Share(input, isTeacher: false, isQuantized ? AffineQuantizer.FakeQuantize(samples, State.Activations[input.Name]) : samples);
        }
    }

    private void Propagate(ReconstructionUnit unit, bool isTeacher, ReconstructionPass pass)
    {
        _propagation.Run(unit, isTeacher ? null : State, pass.QuantizesActivations, value => _cache[value, isTeacher], [.. unit.Outputs.Select(value => (value, false))], _sampleCount,
            (value, type, shape) => _cache.Add(value, isTeacher, type, shape));
    }

    private void Learn(ReconstructionUnit unit, (int Pass, int Unit) place, Tensor? logits, (int Index, int Count) position, IProgress<ReconstructionProgress>? progress, CancellationToken cancellation)
    {
        ReconstructionPass pass = _options.Passes[place.Pass];
        bool isResumed = _resumed is { Iterations: > 0 } && _resumed.Unit == place.Unit;
        int iterations = isResumed ? _resumed!.Iterations : _budget.StepsOf(place.Pass, position.Index, TimeForSteps(place));
        var training = new UnitTraining(_prepared, unit, State, pass, value => _cache[value, isTeacher: true]);
        UnitFeatures features = training.LayOut(Features(unit, pass, logits));
        int start = isResumed ? _resumed!.Restore(training) : 0;
        _resumed = null;
        _options.StepObserver?.Invoke(unit, training, i => training.Step(i, 1000, RandomOf(place, i), features));
        double first = double.NaN;
        TimeSpan begun = _watch.Elapsed;
        for (int i = start; i < iterations; i++)
        {
            if (cancellation.IsCancellationRequested) Interrupt(place, i, iterations, training, cancellation);
            training.Step(i, iterations, RandomOf(place, i), features);
            _options.StepTaken?.Invoke();
            if (i == start) first = training.Loss();
            if (progress is not null && (i + 1 == iterations || _watch.Elapsed - _lastReport >= s_reportInterval)) Report(progress, pass, unit, position, i + 1 - start, i + 1, iterations, training.Loss(), _watch.Elapsed - begun);
            if (_options.Checkpoint is not null && _watch.Elapsed - _lastCheckpoint >= _options.CheckpointInterval && i + 1 < iterations) Save(place, i + 1, iterations, training);
        }
        features.Restore();
        _stepTime += _watch.Elapsed - begun;
        double last = training.Loss();
        _stepsDone += _budget.AskedOf(pass, unit);
        _reports.Add(new(pass.Name, unit.Name, unit.Layers.Count, iterations, first, last, training.Finish(State), (_watch.Elapsed - begun).TotalSeconds));
        if (_options.Checkpoint is not null) Save((place.Pass, place.Unit + 1), 0, 0, null);
    }

    private UnitFeatures Features(ReconstructionUnit unit, ReconstructionPass pass, Tensor? logits)
    {
        Tensor[] All(bool isRead, IEnumerable<Value> values, bool isTeacher) => isRead ? [.. values.Select(value => _cache[value, isTeacher])] : [];
        Tensor[] targets = All(true, unit.Outputs, isTeacher: true);
        Tensor[] gradients = logits is null ? [] : OutputGradients.Of(_prepared, _units, unit, State, pass, _cache, _propagation, logits);
        return new((int)targets[0].Shape[0], All(pass.Input.ReadsTeacher, unit.Inputs, isTeacher: true), All(pass.Input.ReadsStudent, unit.Inputs, isTeacher: false), targets, gradients);
    }

    private SeededRandom RandomOf((int Pass, int Unit) place, int iteration)
    {
        // Four coordinates spread over 64 bits; the generator mixes them again.
        ulong mixed = _options.Seed * 0x9E3779B97F4A7C15 + (ulong)place.Pass * 0xBF58476D1CE4E5B9 + (ulong)place.Unit * 0x94D049BB133111EB + (ulong)iteration * 0xD6E8FEB86659FD93;
        return new(mixed);
    }

    /// <summary>What a time budget leaves for steps: units are also run over all samples and compiled, which takes as long for each as it took so far.</summary>
    private TimeSpan? TimeForSteps((int Pass, int Unit) place)
    {
        if (_options.TimeBudget is not { } budget) return null;
        int waiting = _units.Count * (_options.Passes.Count - place.Pass) - place.Unit;
        TimeSpan other = (_watch.Elapsed - _passStart - _stepTime) / (place.Unit + 1);
        return budget - _before - _watch.Elapsed - other * waiting;
    }

    private void Report(IProgress<ReconstructionProgress> progress, ReconstructionPass pass, ReconstructionUnit unit, (int Index, int Count) position, int steps, int iteration, int iterations, double loss, TimeSpan time)
    {
        _lastReport = _watch.Elapsed;
        long done = _stepsDone + iteration;
        double rate = steps / Math.Max(1e-9, time.TotalSeconds);
        TimeSpan? left = done == 0 ? null : TimeSpan.FromSeconds((_stepsInAll - done) / Math.Max(1e-9, rate));
        if (_options.TimeBudget is { } budget && left > budget - _before - _watch.Elapsed) left = new(Math.Max(0, (budget - _before - _watch.Elapsed).Ticks));
        progress.Report(new(pass.Name, unit.Name, position.Index, position.Count, iteration, iterations, loss, rate, left));
    }

    private void Interrupt((int Pass, int Unit) place, int iteration, int iterations, UnitTraining training, CancellationToken cancellation)
    {
        if (_options.Checkpoint is not null) Save(place, iteration, iterations, training);
        cancellation.ThrowIfCancellationRequested();
    }

    private void Save((int Pass, int Unit) place, int iteration, int iterations, UnitTraining? training)
    {
        _lastCheckpoint = _watch.Elapsed;
        ReconstructionCheckpoint.Write(_options.Checkpoint!, _fingerprint!, State, _reports, place, iteration, iterations, training, _before + _watch.Elapsed);
    }

    /// <summary>Finds the ranges that are not known yet, from the first samples.</summary>
    private void FitRanges(CancellationToken cancellation)
    {
        if (State.Sites.Activations.All(site => State.Activations.ContainsKey(site.Value.Name))) return;
        new RangeFitting(_prepared, _units, State, _propagation, _fit, _options).Run(_samples, cancellation);
    }

    /// <summary>What the float network returns for all samples.</summary>
    private Tensor FloatOutput()
    {
        var whole = new ReconstructionUnit("network", [.. _prepared.Nodes], [.. _prepared.Inputs.Where(input => input.Constant is null)], [_prepared.Outputs[0]], []);
        Tensor? result = null;
        _propagation.Run(whole, null, false, value => _cache[value, isTeacher: true], [(_prepared.Outputs[0], false)], _sampleCount, (_, type, shape) => result = Tensor.AllocateUninitialized(type, shape));
        return result!;
    }
}
