using Fewbit.Formats;
using Fewbit.Quantization;
using Fewbit.Storage;
using Fewbit.Tensors;

namespace Fewbit.Promises;

/// <summary>What a search has tried and learned, in a file: a search that was stopped goes on without doing it again.</summary>
internal sealed class PromiseCheckpoint
{
    private const string SectionName = "promise", LearnedPrefix = "learned.";
    private const int Version = 1;
    private readonly string? _path;
    private readonly ArtifactFingerprint _fingerprint;
    private readonly List<PromiseCandidate> _candidates = [];
    private readonly Dictionary<string, GivenQuantizers> _learned = new(StringComparer.Ordinal);
    private readonly Artifact? _read;
    private TimeSpan _written;

    private PromiseCheckpoint(string? path, ArtifactFingerprint fingerprint, Artifact? read)
    {
        (_path, _fingerprint, _read) = (path, fingerprint, read);
        if (read is null) return;
        ArtifactSection section = read.Section(SectionName, Version);
        (Time, Weights) = (TimeSpan.FromSeconds(section.Get<double>("seconds")), section.Get<long>("weights"));
        _candidates.AddRange(section.Get<SavedCandidate[]>("candidates").Select(saved => saved.Restore()));
        _written = Time;
    }

    /// <summary>Time that was spent before.</summary>
    public TimeSpan Time { get; }

    /// <summary>Whether the search goes on from a file.</summary>
    public bool IsResumed => _read is not null;

    /// <summary>Weights of the first candidate; null where there is none.</summary>
    public long? Weights { get; private set; }

    /// <param name="path">The file; null for none.</param>
    /// <param name="fingerprint">What the search is made from.</param>
    /// <exception cref="InvalidDataException">It is damaged, or of another model, other data or other options.</exception>
    public static PromiseCheckpoint Open(string? path, ArtifactFingerprint fingerprint)
    {
        if (path is null || !File.Exists(path)) return new(path, fingerprint, null);
        Artifact artifact = ArtifactFile.Read(path);
        artifact.Fingerprint.RequireSame(fingerprint, path);
        return new(path, fingerprint, artifact);
    }

    /// <summary>A candidate that was judged; null where it was not.</summary>
    public PromiseCandidate? Find(string name) => _candidates.Find(candidate => candidate.Name == name);

    /// <summary>Keeps a candidate in place of what was known of it.</summary>
    public void Keep(PromiseCandidate candidate, long weights, TimeSpan time)
    {
        int index = _candidates.FindIndex(known => known.Name == candidate.Name);
        if (index < 0) _candidates.Add(candidate);
        else _candidates[index] = candidate;
        (Weights, _written) = (weights, time);
        Write();
    }

    /// <summary>What was learned under a name; null where nothing was.</summary>
    public GivenQuantizers? FindLearned(string name, QuantizerSites sites)
    {
        if (_learned.TryGetValue(name, out GivenQuantizers? known)) return known;
        if (_read?.Find(LearnedPrefix + name, Version) is not { } section) return null;
        var weights = new Dictionary<string, GivenWeight>(StringComparer.Ordinal);
        foreach (WeightSite site in sites.Weights)
        {
            string node = site.Node.Name;
            float[] scales = section.Tensor("scales/" + node).Span<float>().ToArray();
            int[] zeroPoints = section.Tensor("zero_points/" + node).Span<int>().ToArray();
            weights[node] = new(section.Tensor("codes/" + node, ElementType.Int32, site.Weight.Constant!.Shape), new(site.Format, Granularity.PerChannel(site.Axis), scales, zeroPoints));
        }
        var activations = new Dictionary<string, QuantizationParameters>(StringComparer.Ordinal);
        foreach (ActivationSite site in sites.Activations)
        {
            string name2 = "activation/" + site.Value.Name;
            if (!section.Tensors.ContainsKey(name2)) continue;
            Span<float> pair = section.Tensor(name2, ElementType.Float32, [2]).Span<float>();
            activations[site.Value.Name] = new(site.Format, pair[0], (int)pair[1]);
        }
        return _learned[name] = new(weights, activations);
    }

    /// <summary>Keeps what was learned.</summary>
    public void KeepLearned(string name, GivenQuantizers learned)
    {
        _learned[name] = learned;
        Write();
    }

    private void Write()
    {
        if (_path is null) return;
        var artifact = new Artifact(Artifact.Checkpoint, _fingerprint);
        ArtifactSection section = artifact.Add(SectionName, Version);
        section.Set("seconds", _written.TotalSeconds);
        section.Set("weights", Weights ?? 0);
        section.Set("candidates", _candidates.Select(SavedCandidate.Of).ToArray());
        foreach ((string name, GivenQuantizers learned) in _learned) Write(artifact.Add(LearnedPrefix + name, Version), learned);
        foreach (ArtifactSection other in _read?.Sections.Where(other => other.Name.StartsWith(LearnedPrefix, StringComparison.Ordinal) && !_learned.ContainsKey(other.Name[LearnedPrefix.Length..])) ?? [])
        {
            ArtifactSection copy = artifact.Add(other.Name, Version);
            foreach ((string name, Tensor tensor) in other.Tensors) copy.Tensors[name] = tensor;
        }
        ArtifactFile.Write(_path, artifact);
    }

    private static void Write(ArtifactSection section, GivenQuantizers learned)
    {
        foreach ((string node, GivenWeight weight) in learned.Weights)
        {
            section.Tensors["codes/" + node] = weight.Codes;
            section.Tensors["scales/" + node] = Tensor.From<float>(weight.Parameters.Scales.ToArray());
            section.Tensors["zero_points/" + node] = Tensor.From<int>(weight.Parameters.ZeroPoints.ToArray());
        }
        foreach ((string value, QuantizationParameters parameters) in learned.Activations) section.Tensors["activation/" + value] = Tensor.From(parameters.Scale, parameters.ZeroPoint);
    }

    /// <summary>A candidate without what follows from the rest.</summary>
    private sealed record SavedCandidate(string Name, double WeightBits, long FileBytes, SavedOutcome Choosing, double Bound, int? Look, SavedOutcome? HeldOut, double? Confidence, double? HeldOutBound, bool IsKept, double Seconds)
    {
        public static SavedCandidate Of(PromiseCandidate candidate) => new(candidate.Name, candidate.WeightBits, candidate.FileBytes, SavedOutcome.Of(candidate.Choosing), candidate.Bound,
            candidate.HeldOut?.Number, candidate.HeldOut is { } look ? SavedOutcome.Of(look.Outcome) : null, candidate.HeldOut?.Confidence, candidate.HeldOut?.Bound, candidate.IsKept, candidate.Seconds);

        public PromiseCandidate Restore() =>
            new(Name, WeightBits, FileBytes, Choosing.Restore(), Bound, HeldOut is null ? null : new(Look!.Value, HeldOut.Restore(), Confidence!.Value, HeldOutBound!.Value)) { IsKept = IsKept, Seconds = Seconds };
    }

    private sealed record SavedOutcome(PromiseMeasure Measure, long Lost, long Gained, long Total, double MeanKl)
    {
        public static SavedOutcome Of(PairedOutcome outcome) => new(outcome.Measure, outcome.Lost, outcome.Gained, outcome.Total, outcome.MeanKl);

        public PairedOutcome Restore() => new(Measure, Lost, Gained, Total, MeanKl);
    }
}
