using Fewbit.Data;
using Fewbit.Graphs;

namespace Fewbit.Quantization;

/// <summary>Overrides of options on the nodes of a model.</summary>
internal static class LayerOverrides
{
    /// <summary>The options with one override for each node in place of patterns, and with the nodes that these exclude.</summary>
    /// <exception cref="ArgumentException">A name or pattern is of no node.</exception>
    public static QuantizationOptions Expand(QuantizationOptions options, Graph model)
    {
        string[] names = [.. model.Nodes.Select(node => node.Name)];
        ModelCheck.CheckExclusions(names, options.Exclude);
        if (options.Overrides.Count == 0) return options;
        var merged = new Dictionary<string, LayerOverride>(StringComparer.Ordinal);
        foreach (LayerOverride given in options.Overrides)
        {
            foreach (string name in Matched(given, names)) merged[name] = (merged.GetValueOrDefault(name) ?? new() { Layers = name }).Then(given);
        }
        string[] excluded = [.. options.Exclude.Where(name => merged.GetValueOrDefault(name)?.Exclude != false)];
        return options with { Overrides = [.. merged.Values], Exclude = [.. excluded.Union(merged.Values.Where(layer => layer.Exclude == true).Select(layer => layer.Layers))] };
    }

    /// <summary>Overrides that no node of the prepared graph takes.</summary>
    /// <param name="overrides">As they were given.</param>
    /// <param name="original">The model.</param>
    /// <param name="prepared">After preparation.</param>
    /// <param name="changes">What preparation did to a node, by its name.</param>
    public static IEnumerable<string> WithoutEffect(IReadOnlyList<LayerOverride> overrides, Graph original, Graph prepared, IReadOnlyDictionary<string, string> changes)
    {
        string[] names = [.. original.Nodes.Select(node => node.Name)];
        var kept = prepared.Nodes.DistinctBy(node => node.Name).ToDictionary(node => node.Name, StringComparer.Ordinal);
        foreach (LayerOverride given in overrides)
        {
            string[] matched = Matched(given, names);
            Node[] left = [.. matched.Where(kept.ContainsKey).Select(name => kept[name])];
            bool isForWeights = given is { Activations: null, ActivationRange: null, Exclude: null };
            string? reason = left.Length == 0 ? changes.GetValueOrDefault(matched[0], "preparation removed it")
                : isForWeights && left.All(node => OperatorRules.WeightOf(node) is null) ? "none of its nodes has a weight that is quantized" : null;
            if (reason is not null) yield return $"the override of '{given.Layers}' has no effect: {reason}";
        }
    }

    private static string[] Matched(LayerOverride given, IReadOnlyList<string> names)
    {
        string layers = given.Layers;
        if (names.Contains(layers)) return [layers];
        string[] matched = NamePattern.IsPattern(layers) ? [.. names.Where(name => NamePattern.Matches(layers, name))] : [];
        return matched.Length > 0 ? matched
            : throw new ArgumentException($"the model has no node '{Printable.Of(layers)}' to override{Closest.Nearest(layers, names)}", nameof(names));
    }
}
