using System.Globalization;
using System.Text;
using Fewbit.Data.Text;
using Fewbit.Fuzzing.Data;
using Fewbit.Graphs;
using Fewbit.Models;
using Fewbit.Quantization;
using Fewbit.Recipes;
using Fewbit.Reconstruction;
using Fewbit.Storage;
using Fewbit.Tensors;
using Fewbit.Training;
using Fewbit.Weights;

namespace Fewbit.Fuzzing.Weights;

/// <summary>Mutated files of weights, plans, recipes and texts, by number.</summary>
internal sealed class WeightCases : ICases
{
    private const string ArtifactName = "case.artifact";
    private static readonly WeightFileOptions Options = new() { MaxBytes = 16 << 20 };
    private static readonly ArtifactFingerprint Fingerprint = new(new string('a', 64), "data", "options");
    private readonly int _seed;
    private readonly string _folder;
    private readonly byte[] _json, _tensors, _plan;
    private readonly Graph _graph;

    public WeightCases(int seed, string folder)
    {
        (_seed, _folder) = (seed, Directory.CreateDirectory(Path.Combine(folder, "weights")).FullName);
        string path = Path.Combine(_folder, ArtifactName);
        ArtifactFile.Write(path, Plan());
        string side = Directory.GetFiles(_folder, ArtifactName + ".*.safetensors").Single();
        (_json, _tensors) = (File.ReadAllBytes(path), File.ReadAllBytes(side));
        string planned = Path.Combine(_folder, "seed.plan");
        ArtifactFile.Write(planned, QuantizationPlanSeed());
        _plan = File.ReadAllBytes(planned);
        _graph = new("weights");
        _graph.AddInput("x", ElementType.Float32, ["N", 2]).Linear("w", 3).Returns("y");
    }

    public string Description => "safetensors, .npz, PyTorch's zip and older pickle files, random pickles, plans and their tensors, vocabularies, texts and token files, recipes";

    public (string Name, byte[] Content) Create(long number)
    {
        var random = new Random(CaseSeed.Of(_seed ^ 0xFACE, number));
        bool isDeep = random.Next(2) == 0;
        (string name, byte[] content) = Seed(random, isDeep);
        return (name, isDeep && random.Next(4) > 0 || content.Length == 0 ? content : ByteMutations.Apply(content, random, content));
    }

    public Outcome Run(string name, byte[] content, long number)
    {
        string path = Path.Combine(_folder, name), source = path;
        File.WriteAllBytes(path, content);
        string stage = "read";
        try
        {
            switch (name)
            {
                case ArtifactName: Read(ArtifactFile.Read(path)); break;
                case "case.side":
                    // The JSON beside it names the hash of whatever the tensors are, so that the reader goes on to them.
                    source = Path.Combine(_folder, "changed.");
                    Read(ArtifactFile.Read(WithTensors(content)));
                    break;
                case "case.vocabulary": Vocabulary.Load(path).Encode("a b\n", path); break;
                case "case.txt": _ = new TokenBatches(TokenStream.Open(path, kind: number % 2 == 0 ? VocabularyKind.Words : VocabularyKind.Characters), new() { BatchSize = 1, Steps = 1, DropLast = false }).Epoch(0).Take(3).ToArray(); break;
                case "case.bin": TokenStream.Open(path); break;
                case "case.plan":
                    QuantizationPlan plan = QuantizationPlan.Read(path);
                    ReadAndWrite(plan.Recipe);
                    _ = plan.StepsByUnit;
                    break;
                case "case.quantization.yaml": ReadAndWrite(QuantizationRecipe.Read(path)); break;
                case "case.yaml": RecipeFile.Read(path, TrainingRecipe.Section).Read(TrainingRecipeReader.Read); break;
                default:
                    IReadOnlyDictionary<string, Tensor> weights = WeightFile.Read(path, Options);
                    foreach (Tensor tensor in weights.Values) tensor.Copy();
                    stage = "loaded";
                    WeightLoader.Load(_graph.Clone(), weights, path, new() { Matching = number % 2 == 0 ? WeightMatching.ByName : WeightMatching.ByOrder });
                    break;
            }
            return Outcome.Accepted("accepted and read");
        }
#pragma warning disable CA1031 // Whatever is thrown is the outcome.
        catch (Exception e)
#pragma warning restore CA1031
        {
            // A file that was read and fits no model of ours is as good as one that was accepted.
            Outcome outcome = e is ArgumentException && name == "case.txt" ? Outcome.Accepted("accepted, too short for a batch") : Outcome.Of(e, stage, source);
            return stage == "loaded" && !outcome.IsFinding ? Outcome.Accepted("accepted and read, of another model") : outcome;
        }
        finally
        {
            File.Delete(path);
        }
    }

    private (string, byte[]) Seed(Random random, bool isDeep)
    {
        switch (random.Next(15))
        {
            case 0 or 1: return ("case.safetensors", WeightSeeds.Safetensors(random, !isDeep));
            case 2 or 3: return ("case.pth", isDeep ? WeightSeeds.TorchZip(random) : WeightSeeds.Torch(random));
            case 4 or 5: return ("case.pth", WeightSeeds.Torch(random));
            case 6: return ("case.npz", ArraySeeds.Npz(random, !isDeep));
            case 7: return (ArtifactName, isDeep ? Encoding.UTF8.GetBytes(ArraySeeds.Text(Encoding.UTF8.GetString(_json), random)) : _json);
            case 8: return ("case.side", isDeep ? WeightSeeds.Safetensors(random, isValid: random.Next(2) == 0) : _tensors);
            case 9: return ("case.vocabulary", Encoding.UTF8.GetBytes(Words(random)));
            case 10: return ("case.txt", Encoding.UTF8.GetBytes(ArraySeeds.Csv(random)));
            case 11: return ("case.yaml", RecipeSeeds.Create(random, isDeep));
            case 13: return ("case.plan", isDeep ? Encoding.UTF8.GetBytes(ArraySeeds.Text(Encoding.UTF8.GetString(_plan), random)) : _plan);
            case 12: return ("case.quantization.yaml", RecipeSeeds.CreateQuantization(random, isDeep));
            default: return ("case.bin", Encoding.Unicode.GetBytes(ArraySeeds.Labels(random)));
        }
    }

    private static Artifact Plan()
    {
        var artifact = new Artifact(Artifact.Checkpoint, Fingerprint);
        ArtifactSection section = artifact.Add("training", 1);
        section.Set("epoch", 3);
        section.Set("losses", new[] { 0.5, double.NaN });
        section.Tensors["w"] = Tensor.From(1f, 2f, 3f);
        section.Tensors["b"] = Tensor.From<sbyte>(1, 2);
        return artifact;
    }

    /// <summary>What a plan of learned rounding states, without its codes.</summary>
    private static Artifact QuantizationPlanSeed()
    {
        var artifact = new Artifact(Artifact.Plan, Fingerprint);
        ArtifactSection section = artifact.Add("quantization", 1);
        section.Set("recipe", Encoding.UTF8.GetString(RecipeSeeds.CreateQuantization(new(1), isDeep: false)));
        section.Set("units", new[] { new UnitReport("weights", "block", 2, 20, 1, 0.5, 3, 1), new UnitReport("activations", "block", 2, 0, double.NaN, 0.5, 0, 1) });
        return artifact;
    }

    private static void Read(Artifact artifact)
    {
        if (artifact.Find("training", 1) is not { } section) return;
        section.Get<int>("epoch");
        section.Get<double[]>("losses");
        section.Tensor("w", ElementType.Float32, [3]);
    }

    /// <summary>What was read can be written, and reads back as the same.</summary>
    private static void ReadAndWrite(QuantizationRecipe recipe)
    {
        string written = recipe.ToYaml(), again = QuantizationRecipe.Parse(written).ToYaml();
        if (again != written) throw new InvalidOperationException($"Bug in recipes: '{written}' reads back as '{again}'");
    }

    private string WithTensors(byte[] tensors)
    {
        string json = Encoding.UTF8.GetString(_json), path = Path.Combine(_folder, "changed.artifact"), side = "changed.safetensors";
        int file = json.IndexOf(ArtifactName + ".", StringComparison.Ordinal), hash = json.IndexOf("\"sha256\": \"", StringComparison.Ordinal) + "\"sha256\": \"".Length;
        json = string.Create(CultureInfo.InvariantCulture, $"{json[..file]}{side}{json[json.IndexOf('"', file)..hash]}{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(tensors))}{json[(hash + 64)..]}");
        File.WriteAllText(path, json);
        File.WriteAllBytes(Path.Combine(_folder, side), tensors);
        return path;
    }

    private static string Words(Random random)
    {
        string[] seeds = ["""{"kind":"words","tokens":["<unk>","<eos>","a","b"]}""", """{"kind":"characters","tokens":["a","b"," ","\n"]}""", """["a","b","\n"," "]""", """{"a":0,"b":1}""", """{"kind":"words","tokens":[]}""", """["\ud800"]""", """[[],1,null]"""];
        string json = seeds[random.Next(seeds.Length)];
        return random.Next(3) == 0 ? json : ArraySeeds.Text(json, random);
    }
}
