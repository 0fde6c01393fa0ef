using Fewbit.Graphs.Operators;
using Fewbit.Onnx.Protos;
using Fewbit.Testing;

namespace Fewbit.Fuzzing.Models;

/// <summary>The models that mutations start from: built ones, every operator of the engine on plain inputs, and the models of the data where they are.</summary>
internal sealed class ModelCorpus
{
    private const int MaxSeedBytes = 24 << 10;

    private ModelCorpus(List<ModelProto> models) => Models = models;

    public IReadOnlyList<ModelProto> Models { get; }

    /// <summary>Operators by domain that a mutation may put in the place of another.</summary>
    public IReadOnlyList<(string Domain, string OpType)> Operators { get; } = [.. Known];

    /// <summary>What a file may hold: the operators of passes are refused by name.</summary>
    private static IEnumerable<(string Domain, string OpType)> Known => OperatorTable.Names.Where(name => name.Domain != OperatorTable.FewbitDomain);

    public static ModelCorpus Load()
    {
        List<ModelProto> models = [.. SeedNodes.All().Select(SeedNode.Parse), .. SeedNetworks.All()];
        // An operator that no line names is still reached, on inputs that may not suit it.
        var named = models.SelectMany(model => model.Graph.Node).Select(node => (node.Domain, node.OpType)).ToHashSet();
        foreach ((string domain, string opType) in Known.Where(name => !named.Contains(name)))
        {
            string head = domain.Length == 0 ? opType : $"{domain}.{opType}";
            foreach (string inputs in (string[])["f32[2,3]", "f32[2,3] f32[2,3]", "f32[1,2,3,4] f32[1,2,3,4] f32[2]", "i64[2,3] f32[3] i64=1"]) models.Add(SeedNode.Parse($"{head} | {inputs}"));
        }
        if (Oracles.DataRoot is { } root) models.AddRange(Files(Path.Combine(root, "onnx-backend-tests")));
        return new(models);
    }

    private static IEnumerable<ModelProto> Files(string folder)
    {
        if (!Directory.Exists(folder)) yield break;
        foreach (string file in Directory.EnumerateFiles(folder, "*.onnx", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            if (new FileInfo(file).Length <= MaxSeedBytes) yield return ModelProto.Parser.ParseFrom(File.ReadAllBytes(file));
        }
    }
}
