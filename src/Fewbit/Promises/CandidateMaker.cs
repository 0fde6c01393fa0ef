using Fewbit.Calibration;
using Fewbit.Data;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Reconstruction;
using Fewbit.Rounding;
using Fewbit.Storage;
using Fewbit.Tensors;
using Fewbit.Transforms;

namespace Fewbit.Promises;

/// <summary>Makes candidates of one float model. Calibration runs once for each float graph, whatever formats and exclusions are tried on it.</summary>
/// <param name="original">The float model.</param>
/// <param name="batches">Calibration samples.</param>
/// <param name="options">Seed, and the file beside which unfinished learning is kept.</param>
/// <param name="checkpoint">What was learned before.</param>
/// <param name="cancellation">Stops it.</param>
internal sealed class CandidateMaker(Graph original, IEnumerable<SampleBatch> batches, PromiseOptions options, PromiseCheckpoint checkpoint, CancellationToken cancellation)
{
    private readonly Dictionary<(bool IsEqualized, bool Learns), CalibratedModel> _models = [];
    private IReadOnlyDictionary<string, Tensor>? _samples;

    /// <summary>Told what is done.</summary>
    public IProgress<QuantizationProgress>? Progress { get; set; }

    /// <summary>Adds what the file shall hold besides; null for nothing.</summary>
    public Action<Graph>? Complete { get; init; }

    /// <summary>A quantized model.</summary>
    /// <param name="candidate">Formats, transforms and exclusions.</param>
    /// <param name="given">Codes that are decided already; null: the nearest ones.</param>
    public QuantizationResult Make(QuantizationOptions candidate, GivenQuantizers? given = null)
    {
        QuantizationResult result = ModelFor(candidate).Quantize(candidate.Resolve(), given ?? GivenQuantizers.None, []);
        Complete?.Invoke(result.Model);
        result.Chosen = candidate;
        return result;
    }

    /// <summary>Where quantizers stand.</summary>
    public QuantizerSites SitesOf(QuantizationOptions candidate) => ModelFor(candidate).FindSites(candidate.Resolve());

    /// <summary>Whether a candidate has layers on codes.</summary>
    public bool HasLayers(QuantizationOptions candidate) => ModelFor(candidate).HasLayers(candidate.Resolve());

    /// <summary>Whether a node can be named in options: preparation makes some new.</summary>
    public bool IsNamed(Node node) => original.Nodes.Any(known => known.Name == node.Name);

    /// <summary>The float graph that a candidate is made from.</summary>
    public Graph PreparedFor(QuantizationOptions candidate) => ModelFor(candidate).Prepared;

    /// <summary>Learns the codes of a candidate with its method, and the steps of its activations.</summary>
    /// <param name="name">What the result is kept under.</param>
    /// <param name="candidate">The candidate.</param>
    /// <param name="iterations">Steps of each unit, at most.</param>
    /// <param name="time">Time for all of them.</param>
    public GivenQuantizers Learn(string name, QuantizationOptions candidate, int iterations, TimeSpan time)
    {
        QuantizerSites sites = SitesOf(candidate);
        return Learned(name, sites, file => LearnedQuantizers.Learn(PreparedFor(candidate), sites, Samples(),
            candidate.Resolve() with { Learning = new() { Iterations = iterations, Seed = options.Seed, TimeBudget = time, Checkpoint = file } }, Progress, cancellation).Quantizers);
    }

    /// <summary>Learns the codes of each layer by itself, from the float network's values: so they serve whatever formats the other layers get.</summary>
    /// <inheritdoc cref="Learn"/>
    public IReadOnlyDictionary<string, GivenWeight> LearnAlone(string name, QuantizationOptions candidate, int iterations, TimeSpan time)
    {
        QuantizerSites sites = SitesOf(candidate);
        return Learned(name, sites, file =>
        {
            ReconstructionMethod method = new()
            {
                Name = "layer by layer", Granularity = UnitGranularity.Layers, Range = candidate.WeightRange ?? RangeRule.MeanSquaredError,
                Passes = [new() { Name = "weights", Iterations = iterations, Rounding = new AdaRound(), Input = new FullPrecisionInput(), Schedule = BetaSchedule.Cosine, DrawsWithRepeats = true }],
            };
            Reconstructor reconstructor = method.CreateReconstructor(PreparedFor(candidate), sites, new() { Seed = options.Seed, TimeBudget = time, Checkpoint = file });
            reconstructor.Run(Samples(), Progress is null ? null : new LearningRelay(Progress), cancellation);
            return new(sites.Weights.ToDictionary(site => site.Node.Name, site => new GivenWeight(reconstructor.State.Codes[site.Node.Name], reconstructor.State.GridOf(site)), StringComparer.Ordinal),
                new Dictionary<string, QuantizationParameters>());
        }).Weights;
    }

    private GivenQuantizers Learned(string name, QuantizerSites sites, Func<string?, GivenQuantizers> learn)
    {
        if (checkpoint.FindLearned(name, sites) is { } known) return known;
        string? file = options.Checkpoint is { } path ? $"{path}.{name}" : null;
        // What an older search left is of other work.
        if (file is not null && !checkpoint.IsResumed) ArtifactFile.Delete(file);
        GivenQuantizers learned = learn(file);
        checkpoint.KeepLearned(name, learned);
        if (file is not null) ArtifactFile.Delete(file);
        return learned;
    }

    /// <summary>The first calibration samples, as batches, until there are enough.</summary>
    public IReadOnlyList<SampleBatch> FirstSamples(int count)
    {
        var first = new List<SampleBatch>();
        foreach (SampleBatch batch in batches)
        {
            cancellation.ThrowIfCancellationRequested();
            first.Add(batch);
            if (first.Sum(kept => kept.Count) >= count) break;
        }
        return first;
    }

    private CalibratedModel ModelFor(QuantizationOptions candidate)
    {
        // Where a range rule was asked for, methods that learn take it in their own way, which needs other estimators.
        (bool IsEqualized, bool Learns) key = (candidate.Transforms.OfType<EqualizeLayers>().Any(), candidate.Method != RoundingMethod.Nearest && candidate.ActivationRange is not null);
        if (_models.TryGetValue(key, out CalibratedModel? model)) return model;
        // Calibration keeps the samples that correcting biases needs, whether the first candidate corrects them or not.
        QuantizationOptions widest = candidate with { Transforms = [.. candidate.Transforms.Where(transform => transform is not CorrectBiases), new CorrectBiases()], Overrides = [] };
        return _models[key] = CalibratedModel.CreateAsync(original, Inputs().ToAsyncEnumerable(), widest.Resolve(), new Relay(this), cancellation).GetAwaiter().GetResult();
    }

    private IEnumerable<IReadOnlyDictionary<string, Tensor>> Inputs()
    {
        foreach (SampleBatch batch in batches)
        {
            cancellation.ThrowIfCancellationRequested();
            yield return batch.Inputs;
        }
    }

    private IReadOnlyDictionary<string, Tensor> Samples()
    {
        if (_samples is not null) return _samples;
        var collector = new SampleCollector();
        foreach (SampleBatch batch in batches)
        {
            cancellation.ThrowIfCancellationRequested();
            // Rows behind the last sample of a model with a fixed batch only repeat it.
            collector.Add(batch.Inputs.ToDictionary(pair => pair.Key, pair => pair.Value.Rank > 0 && pair.Value.Shape[0] > batch.Count ? pair.Value.Rows(0, batch.Count) : pair.Value, StringComparer.Ordinal));
        }
        return _samples = collector.Join();
    }

    private sealed class Relay(CandidateMaker maker) : IProgress<long>
    {
        public void Report(long value) => maker.Progress?.Report(new("calibrating", value, null));
    }

    private sealed class LearningRelay(IProgress<QuantizationProgress> progress) : IProgress<ReconstructionProgress>
    {
        public void Report(ReconstructionProgress value) =>
            progress.Report(new("learning", (long)value.UnitIndex * value.Iterations + value.Iteration, (long)value.UnitCount * value.Iterations) { Learning = value });
    }
}
