using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Storage;
using Fewbit.Tensors;

namespace Fewbit.Reconstruction;

/// <summary>Unfinished reconstruction as a section of an artifact: what is decided, and the variables of the unit that is learning.</summary>
internal sealed class ReconstructionCheckpoint
{
    private const string SectionName = "reconstruction";
    private const int Version = 2;
    private readonly ArtifactSection _section;

    private ReconstructionCheckpoint(ArtifactSection section) =>
        (_section, Pass, Unit, Iterations, Elapsed) = (section, section.Get<int>("pass"), section.Get<int>("unit"), section.Get<int>("iterations"), TimeSpan.FromSeconds(section.Get<double>("elapsed")));

    /// <summary>The pass to go on with.</summary>
    public int Pass { get; }

    /// <summary>The unit to go on with; those before it are done.</summary>
    public int Unit { get; }

    /// <summary>Steps that the unit takes; 0 where it has not begun.</summary>
    public int Iterations { get; }

    /// <summary>Time that the work took until then.</summary>
    public TimeSpan Elapsed { get; }

    /// <summary>What became of the units that are done.</summary>
    public IReadOnlyList<UnitReport> Reports => _section.Get<UnitReport[]>("reports");

    /// <summary>Reads a checkpoint and what is decided in it; null where there is no file.</summary>
    /// <exception cref="InvalidDataException">It is damaged, or of another model, other data or other options.</exception>
    public static ReconstructionCheckpoint? TryRead(string path, ArtifactFingerprint fingerprint, QuantizedState state)
    {
        if (!File.Exists(path)) return null;
        Artifact artifact = ArtifactFile.Read(path);
        artifact.Fingerprint.RequireSame(fingerprint, path);
        ArtifactSection section = artifact.Section(SectionName, Version);
        foreach (WeightSite site in state.Sites.Weights) state.SetCodes(site, section.Tensor("codes/" + site.Node.Name, ElementType.Int32, site.Weight.Constant!.Shape));
        foreach (ActivationSite site in state.Sites.Activations)
        {
            string name = "activation/" + site.Value.Name;
            if (!section.Tensors.ContainsKey(name)) continue;
            Span<float> pair = section.Tensor(name, ElementType.Float32, [2]).Span<float>();
            state.SetActivation(site, new(site.Format, pair[0], (int)pair[1]));
        }
        return new(section);
    }

    public static void Write(string path, ArtifactFingerprint fingerprint, QuantizedState state, IReadOnlyList<UnitReport> reports,
        (int Pass, int Unit) place, int iteration, int iterations, UnitTraining? training, TimeSpan elapsed)
    {
        var artifact = new Artifact(Artifact.Checkpoint, fingerprint);
        ArtifactSection section = artifact.Add(SectionName, Version);
        section.Set("pass", place.Pass);
        section.Set("unit", place.Unit);
        section.Set("iteration", iteration);
        section.Set("iterations", iterations);
        section.Set("elapsed", elapsed.TotalSeconds);
        section.Set("reports", reports);
        foreach ((string name, Tensor codes) in state.Codes) section.Tensors["codes/" + name] = codes;
        foreach ((string name, QuantizationParameters parameters) in state.Activations) section.Tensors["activation/" + name] = Tensor.From(parameters.Scale, parameters.ZeroPoint);
        foreach ((string name, Tensor variable) in training?.Variables ?? new Dictionary<string, Tensor>()) section.Tensors["variable/" + name] = variable;
        ArtifactFile.Write(path, artifact);
    }

    /// <summary>Puts the variables of the unit back.</summary>
    /// <returns>Steps that are done.</returns>
    public int Restore(UnitTraining training)
    {
        foreach ((string name, Tensor variable) in training.Variables) _section.Tensor("variable/" + name, variable.Type, variable.Shape).CopyTo(variable);
        return _section.Get<int>("iteration");
    }

    /// <summary>What the work is made from.</summary>
    public static ArtifactFingerprint FingerprintOf(Graph prepared, IReadOnlyDictionary<string, Tensor> samples, ReconstructionOptions options, QuantizedState state)
    {
        var constants = prepared.Constants.ToDictionary(value => value.Name, value => value.Constant!, StringComparer.Ordinal);
        string[] nodes = [.. prepared.Nodes.Select(node => $"{node}({string.Join(',', node.Inputs.Select(input => input?.Name))})")];
        string[] grids = [.. state.Grids.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"{pair.Key}: {Text(pair.Value.Numbers)} {pair.Value.Granularity} {string.Join(',', pair.Value.Scales.ToArray())} {string.Join(',', pair.Value.ZeroPoints.ToArray())}")];
        string[] sites = [.. state.Sites.Activations.Select(site => $"{site.Value.Name}: {Text(site.Format)}")];
        string[] settings = [.. options.Passes.Select(pass => pass.ToString()), $"{options.Granularity} {options.Seed} {options.RangeSamples} {options.RangeSource}",
            .. (options.StepsByUnit ?? new Dictionary<string, int>()).OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"{pair.Key}: {pair.Value}")];
        return new(ContentHash.OfText([ContentHash.OfTensors(constants), .. nodes]), ContentHash.OfTensors(samples), ContentHash.OfText([.. settings, .. grids, .. sites]));
    }

    /// <summary>A codebook is its numbers, wherever they come from.</summary>
    private static string Text(NumberFormat format) => format is CodebookFormat ? $"codebook {string.Join(',', format.Numbers())}" : format.ToString();
}
