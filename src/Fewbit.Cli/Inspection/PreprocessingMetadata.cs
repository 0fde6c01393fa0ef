using Fewbit.Data;
using Fewbit.Graphs;

namespace Fewbit.Cli.Inspection;

/// <summary>The preprocessing that a model was judged with, kept in the model's own metadata.</summary>
internal static class PreprocessingMetadata
{
    /// <summary>The key under which the settings travel.</summary>
    public const string Key = "fewbit.preprocessing";

    /// <summary>The settings; null where the model states none.</summary>
    /// <exception cref="InvalidDataException">The metadata is damaged.</exception>
    public static Preprocessing? Read(Graph graph) => graph.Metadata.TryGetValue(Key, out string? json) ? Preprocessing.FromJson(json, $"metadata '{Key}'") : null;

    public static void Write(Graph graph, Preprocessing preprocessing) => graph.Metadata[Key] = preprocessing.ToJson();
}
