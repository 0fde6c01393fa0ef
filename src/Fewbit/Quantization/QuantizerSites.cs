using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Graphs;

namespace Fewbit.Quantization;

/// <summary>A weight that is rounded to codes.</summary>
/// <param name="Node">The node that reads it.</param>
/// <param name="Input">Which of its inputs it is.</param>
/// <param name="Axis">The dimension of the output channels.</param>
/// <param name="Format">The codes: signed ones are narrow.</param>
/// <param name="Scheme">Symmetric for signed formats, affine for unsigned ones.</param>
/// <param name="Granularity">Which weights share a scale.</param>
/// <param name="Range">How its range is chosen, where this layer has a rule of its own.</param>
internal sealed record WeightSite(Node Node, int Input, int Axis, NumberFormat Format, QuantizationScheme Scheme, WeightGranularity Granularity, RangeRule? Range = null)
{
    /// <summary>The float weight.</summary>
    public Value Weight => Node.Inputs[Input]!;
}

/// <summary>A value that is rounded to codes with one scale. Whoever reads it reads the rounded numbers.</summary>
/// <param name="Value">The value, behind its activation.</param>
/// <param name="Format">The codes.</param>
/// <param name="IsPaperSite">False for the 8-bit quantizers that only integer execution needs.</param>
/// <param name="Range">How its range is chosen, where this value has a rule of its own.</param>
internal sealed record ActivationSite(Value Value, NumberFormat Format, bool IsPaperSite, RangeRule? Range = null)
{
    /// <summary>Where its zero point lies.</summary>
    public QuantizationScheme Scheme { get; init; } = QuantizationScheme.Affine;
}

/// <summary>Where quantizers stand in a prepared float graph. Values that merely move the codes of another have none of their own.</summary>
internal sealed class QuantizerSites
{
    private QuantizerSites(IReadOnlyList<WeightSite> weights, IReadOnlyList<ActivationSite> activations) => (Weights, Activations) = (weights, activations);

    /// <summary>The weights, in the order of the graph.</summary>
    public IReadOnlyList<WeightSite> Weights { get; }

    /// <summary>The activations, in the order of the graph; none where the options leave them float.</summary>
    public IReadOnlyList<ActivationSite> Activations { get; }

    /// <summary>The sites of a graph.</summary>
    /// <param name="prepared">A graph that <see cref="Preparation"/> made.</param>
    /// <param name="options">Placement, bits and exceptions.</param>
    /// <exception cref="InvalidDataException">Nothing can be quantized.</exception>
    /// <exception cref="ArgumentException">A node that is excluded or overridden is not there.</exception>
    public static QuantizerSites Find(Graph prepared, QuantizationOptions options)
    {
        options = LayerOverrides.Expand(options, prepared);
        var excluded = options.Exclude.ToHashSet(StringComparer.Ordinal);
        var placement = new Placement(prepared, node => excluded.Contains(node.Name) ? "excluded" : null, options);
        ModelCheck.CheckPlacement(prepared, placement);
        return Of(prepared, placement, new FormatRules(prepared, placement, options));
    }

    internal static QuantizerSites Of(Graph graph, Placement placement, FormatRules formats) => new(
        [.. graph.Nodes.Where(node => placement.Selected.Contains(node) && OperatorRules.WeightOf(node) is not null).Select(node => SiteOf(node, formats))],
        [.. placement.Quantized.Where(value => value.Constant is null && !IsMoved(placement, value)).Select(value => new ActivationSite(value, formats.ActivationOf(value), formats.IsPaperSite(value), formats.ActivationRangeOverride(value)) { Scheme = formats.ActivationScheme })]);

    /// <summary>True where a value holds codes of another.</summary>
    internal static bool IsMoved(Placement placement, Value value) =>
        placement.IsForIntegers && placement.IsIntegerResult(value) && placement.RoleOf(placement.SourceOf(value)!) is NodeRole.PassThrough or NodeRole.Pad;

    private static WeightSite SiteOf(Node node, FormatRules formats)
    {
        NumberFormat format = formats.WeightOf(node);
        return new(node, 1, OperatorRules.ChannelAxis(node), WeightQuantizer.CodesOf(format), WeightQuantizer.SchemeOf(format),
            formats.GranularityOf(node), formats.WeightRangeOverride(node));
    }
}
