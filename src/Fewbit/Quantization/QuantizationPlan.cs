using Fewbit.Formats;
using Fewbit.Reconstruction;
using Fewbit.Storage;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>What a quantization decided, so that <see cref="Quantizer.Follow"/> decides the same: formats, scales, outcomes of transforms, steps that units took, learned codes.</summary>
/// <remarks>
/// A JSON file that people read and compare, and beside it a safetensors file with the learned codes and scales. With both, following takes no learning;
/// with the JSON alone it learns again with the steps that are stated. Everything that is not learned follows from model, data and options, whose fingerprints the plan holds.
/// </remarks>
public sealed class QuantizationPlan
{
    private const string SectionName = "quantization", Codes = "codes/", Scales = "scales/", ZeroPoints = "zero-points/", Activation = "activation/";
    private const int Version = 1;
    private readonly ArtifactSection _section;
    private readonly string _source;

    private QuantizationPlan(Artifact artifact, ArtifactSection section, string source) => (Artifact, _section, _source) = (artifact, section, source);

    /// <summary>What the plan was made from.</summary>
    public ArtifactFingerprint Fingerprint => Artifact.Fingerprint;

    /// <summary>The options that it was made with, and where the data lie if that was stated.</summary>
    public QuantizationRecipe Recipe => QuantizationRecipe.Parse(_section.Get<string>("recipe"), _source);

    /// <summary>What became of each layer or block that learned.</summary>
    public IReadOnlyList<UnitReport> Units => _section.Get<UnitReport[]>("units");

    /// <summary>True where learned codes are at hand, so that nothing is learned again.</summary>
    public bool HasCodes => _section.Tensors.Count > 0;

    /// <summary>Steps of each unit, as <see cref="LearningOptions.StepsByUnit"/> takes them.</summary>
    /// <exception cref="InvalidDataException">The plan is damaged.</exception>
    public IReadOnlyDictionary<string, int> StepsByUnit
    {
        get
        {
            var steps = new Dictionary<string, int>(StringComparer.Ordinal);
            foreach (UnitReport unit in Units.Where(unit => unit?.Iterations != 0))
            {
                if (unit is null or { Iterations: < 0 or > 10_000_000 } || !steps.TryAdd(unit.Key, unit.Iterations)) throw new InvalidDataException($"{_source}: is a damaged plan: its units are not what learned");
            }
            return steps;
        }
    }

    internal Artifact Artifact { get; }

    /// <summary>Reads a plan; its side file may be missing.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is damaged, no plan, or of a newer version.</exception>
    public static QuantizationPlan Read(string path)
    {
        if (!File.Exists(path)) throw new FileNotFoundException($"{path}: there is no such plan", path);
        Artifact artifact = ArtifactFile.Read(path, needsTensors: false);
        if (artifact.Kind != Artifact.Plan) throw new InvalidDataException($"{path}: is a {Data.Printable.Of(artifact.Kind)}, expected a plan");
        return new(artifact, artifact.Section(SectionName, Version), path);
    }

    /// <summary>Writes the plan, and its side file if something was learned.</summary>
    /// <param name="path">The JSON file; an older one is replaced.</param>
    /// <param name="recipe">Where the data lie, beside the options; null for the options alone.</param>
    public void Write(string path, QuantizationRecipe? recipe = null)
    {
        if (recipe is not null) _section.Set("recipe", recipe.ToYaml());
        ArtifactFile.Write(path, Artifact);
    }

    /// <summary>The plan of a finished quantization.</summary>
    internal static QuantizationPlan Of(ArtifactFingerprint fingerprint, QuantizationOptions options, QuantizationReport report, GivenQuantizers given)
    {
        var artifact = new Artifact(Artifact.Plan, fingerprint);
        ArtifactSection section = artifact.Add(SectionName, Version);
        section.Set("recipe", new QuantizationRecipe { Options = options, Seed = unchecked((long)options.Learning.Seed) }.ToYaml());
        section.Set("nodes", report.Nodes);
        section.Set("activations", report.Tensors.Select(tensor => new PlannedActivation(tensor.Name, tensor.Format.Name, tensor.Scale, tensor.ZeroPoint, tensor.RangeOf)));
        section.Set("weights", report.Weights.Select(weight => new PlannedWeight(weight.Node, weight.Name, weight.Format.Name, weight.Granularity.ToString(), weight.SignalToNoise)));
        section.Set("transforms", report.Transforms.Select(done => new PlannedTransform(done.Transform.Name, [.. done.Changes.Select(note => note.ToString())], [.. done.Skipped.Select(note => note.ToString())], done.ClipCost, done.Sweeps)));
        section.Set("units", report.Units);
        foreach ((string node, GivenWeight weight) in given.Weights)
        {
            section.Tensors[Codes + node] = Stored(weight);
            section.Tensors[Scales + node] = Tensor.From<float>(weight.Parameters.Scales.ToArray());
            section.Tensors[ZeroPoints + node] = Tensor.From<int>(weight.Parameters.ZeroPoints.ToArray());
        }
        foreach ((string value, QuantizationParameters parameters) in given.Activations) section.Tensors[Activation + value] = Tensor.From(parameters.Scale, parameters.ZeroPoint);
        return new(artifact, section, "the plan");
    }

    /// <summary>Everything that the options decide, as a text.</summary>
    internal static string HashOf(QuantizationOptions options) =>
        ContentHash.OfText(new QuantizationRecipe { Options = options, Seed = unchecked((long)options.Learning.Seed) }.ToYaml());

    /// <exception cref="InvalidDataException">A part is not what the plan was made from; the message names it.</exception>
    internal void Require(string part, string current)
    {
        string planned = part switch { "model" => Fingerprint.Model, "data" => Fingerprint.Data, _ => Fingerprint.Options };
        if (planned != current) throw new InvalidDataException($"{_source}: was made with other {part}: the plan's fingerprint is {Short(planned)}, this one is {Short(current)}; give the same {part}, or quantize without the plan");
    }

    /// <summary>The learned quantizers.</summary>
    /// <exception cref="InvalidDataException">The side file does not fit the sites.</exception>
    internal GivenQuantizers Given(QuantizerSites sites)
    {
        var weights = new Dictionary<string, GivenWeight>(StringComparer.Ordinal);
        foreach (WeightSite site in sites.Weights)
        {
            string node = site.Node.Name;
            Shape shape = site.Weight.Constant!.Shape;
            // Without groups a learned weight has a scale for each channel, equal ones where the whole weight shares them.
            Granularity granularity = site.Granularity.Of(shape, site.Axis) is { BlockSize: > 0 } blocks ? blocks : Granularity.PerChannel(site.Axis);
            Shape scales = [granularity.ScaleShape(shape).ElementCount];
            try
            {
                var parameters = new QuantizationParameters(site.Format, granularity, _section.Tensor(Scales + node, ElementType.Float32, scales).Span<float>(), _section.Tensor(ZeroPoints + node, ElementType.Int32, scales).Span<int>());
                weights[node] = new(Widened(_section.Tensor(Codes + node, site.Format.StorageType, shape)), parameters);
            }
            catch (ArgumentException problem)
            {
                throw new InvalidDataException($"{_source}: is a damaged plan: scales of '{Data.Printable.Of(node)}': {problem.Message}", problem);
            }
        }
        var activations = new Dictionary<string, QuantizationParameters>(StringComparer.Ordinal);
        foreach (ActivationSite site in sites.Activations)
        {
            if (!_section.Tensors.ContainsKey(Activation + site.Value.Name)) continue;
            Span<float> pair = _section.Tensor(Activation + site.Value.Name, ElementType.Float32, [2]).Span<float>();
            activations[site.Value.Name] = new(site.Format, pair[0], (int)pair[1]);
        }
        return new(weights, activations);
    }

    /// <summary>Codes in whole bytes: safetensors has no smaller ones.</summary>
    private static Tensor Stored(GivenWeight weight)
    {
        ElementType type = weight.Parameters.Numbers.StorageType;
        return AffineQuantizer.Pack(AffineQuantizer.Unpack(weight.Codes), weight.Codes.Shape, type);
    }

    private static Tensor Widened(Tensor codes) => Tensor.From<int>(AffineQuantizer.Unpack(codes), codes.Shape);

    private static string Short(string hash) => hash.Length > 12 ? hash[..12] : Data.Printable.Of(hash);

    private sealed record PlannedActivation(string Name, string Format, float Scale, int ZeroPoint, string RangeOf);

    private sealed record PlannedWeight(string Node, string Name, string Format, string Granularity, double SignalToNoise);

    private sealed record PlannedTransform(string Name, string[] Changed, string[] Left, double? ClipCost, int Sweeps);
}
