using Fewbit.Graphs;
using Fewbit.Onnx.Protos;
using Fewbit.Onnx.Upgrade;

namespace Fewbit.Onnx.Reading;

/// <summary>Turns the message of a model into a graph. Errors name node and tensor; the caller puts the file in front.</summary>
/// <param name="folder">Where external data lies; null where a model has no file.</param>
/// <param name="options">How to read.</param>
internal sealed class ModelReader(string? folder, OnnxLoadOptions options)
{
    private const int OldestOpset = 7, NewestOpset = 28, NewestIrVersion = 13;

    public Graph Read(ModelProto model)
    {
        if (model.Graph is null) throw new InvalidDataException("is not an ONNX model (it holds no graph)");
        if (model.IrVersion is < 1 or > NewestIrVersion) throw new InvalidDataException($"has IR version {model.IrVersion}, expected 1 to {NewestIrVersion}");
        IReadOnlyDictionary<NodeProto, int> opsets = FunctionInliner.Inline(model, options.MaxNodes);
        var upgrade = new OpsetUpgrade();
        var graph = new Graph(model.Graph.Name);
        foreach ((string domain, int version) in Opsets(model.OpsetImport)) graph.Opsets[domain] = version;
        foreach (StringStringEntryProto entry in model.MetadataProps) graph.Metadata[entry.Key] = entry.Value;
        graph.Documentation = model.DocString;
        new GraphReader(new TensorReader(new ExternalFiles(folder, options.MapThreshold)), graph) { Opsets = opsets, Upgrade = upgrade }.Read(model.Graph);
        graph.Origin = new GraphOrigin(model.Graph, Rest(model), graph.OpsetVersion(""));
        if (options.UpgradeOpset) upgrade.Run(graph);
        if (options.InferShapes) Inference.Infer(graph);
        return graph;
    }

    private static Dictionary<string, int> Opsets(IEnumerable<OperatorSetIdProto> imports)
    {
        var versions = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (OperatorSetIdProto import in imports)
        {
            string domain = DomainName(import.Domain);
            if (import.Version is < 1 or > int.MaxValue) throw new InvalidDataException($"imports version {import.Version} of the operators of domain '{domain}', expected 1 or more");
            if (!versions.TryAdd(domain, (int)import.Version) && versions[domain] != import.Version)
                throw new InvalidDataException($"imports versions {versions[domain]} and {import.Version} of the operators of domain '{domain}', expected one");
        }
        // Before IR version 3 there were no imports, and version 1 was meant.
        if (versions.Count == 0) versions.Add("", 1);
        if (versions.TryGetValue("", out int opset)) Opset(opset);
        return versions;
    }

    /// <summary>The version of the standard operators, checked.</summary>
    internal static int Opset(long version) => version is >= OldestOpset and <= NewestOpset ? (int)version
        : throw new InvalidDataException($"uses opset {version}, expected {OldestOpset} to {NewestOpset}");

    /// <summary>The standard domain has two names; the empty one is used here.</summary>
    internal static string DomainName(string domain) => domain == "ai.onnx" ? "" : domain;

    /// <summary>The model's message without what the graph holds now.</summary>
    private static ModelProto Rest(ModelProto model)
    {
        model.Graph = null;
        model.Functions.Clear();
        model.OpsetImport.Clear();
        model.MetadataProps.Clear();
        model.ClearDocString();
        return model;
    }
}
