using Fewbit.Calibration;
using Fewbit.Graphs;
using Fewbit.Reconstruction;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>A prepared float graph with the ranges of its values: what quantized graphs are made from, with any options that keep the range rule.</summary>
internal sealed class CalibratedModel
{
    private readonly Graph _original;
    private readonly QuantizationOptions _options;
    private readonly Calibrator _calibrator;
    private readonly IReadOnlyDictionary<string, string> _changes;

    private CalibratedModel(Graph original, QuantizationOptions options)
    {
        Graph prepared = Preparation.Prepare(original, out _changes);
        (_original, Prepared, _options) = (original, prepared, options);
        Placement placement = Place(prepared, options, new Dictionary<string, RangeEstimator>());
        ModelCheck.CheckPlacement(prepared, placement);
        foreach (Node node in placement.Selected) WeightQuantizer.CheckFinite(node);
        HashSet<string> sites = [.. PaperSites.Find(placement.Selected.Where(node => placement.RoleOf(node) == NodeRole.Compute)).Select(value => value.Name)];
        _calibrator = new(prepared, Observed(prepared, placement).ToDictionary(name => name, name => options.EffectiveActivationRange(sites.Contains(name)).CreateEstimator(), StringComparer.Ordinal));
    }

    /// <summary>The float graph after preparation: the same function, the names kept.</summary>
    public Graph Prepared { get; }

    public static async Task<CalibratedModel> CreateAsync(
        Graph original, IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> batches, QuantizationOptions options, IProgress<long>? progress, CancellationToken cancellation)
    {
        ModelCheck.Check(original);
        ModelCheck.CheckExclusions(original, options.Exclude);
        var model = new CalibratedModel(original, options);
        await model._calibrator.RunAsync(batches, progress, cancellation).ConfigureAwait(false);
        return model;
    }

    /// <summary>What would become of each node, as far as calibration does not decide it.</summary>
    public static IReadOnlyList<NodeReport> Preview(Graph original, QuantizationOptions options)
    {
        ModelCheck.Check(original);
        ModelCheck.CheckExclusions(original, options.Exclude);
        Graph prepared = Preparation.Prepare(original, out IReadOnlyDictionary<string, string> changes);
        Placement placement = Place(prepared, options, new Dictionary<string, RangeEstimator>());
        ModelCheck.CheckPlacement(prepared, placement);
        foreach (Node node in placement.Selected) WeightQuantizer.CheckFinite(node);
        return ReportBuilder.Nodes(original, changes, prepared, placement, new FormatRules(prepared, placement, options), options);
    }

    /// <summary>Where quantizers stand in the prepared graph.</summary>
    public QuantizerSites FindSites()
    {
        Placement placement = Place(Prepared, _options, _calibrator.Estimators);
        ModelCheck.CheckPlacement(Prepared, placement);
        return QuantizerSites.Of(Prepared, placement, new FormatRules(Prepared, placement, _options));
    }

    /// <summary>Writes the quantizers into a copy of the prepared graph.</summary>
    /// <param name="given">Quantizers that are decided already.</param>
    /// <param name="units">What became of the units that learned them.</param>
    public QuantizationResult Quantize(GivenQuantizers given, IReadOnlyList<UnitReport> units)
    {
        Graph graph = Prepared.Clone();
        Placement placement = Place(graph, _options, _calibrator.Estimators);
        ModelCheck.CheckPlacement(graph, placement);
        var formats = new FormatRules(graph, placement, _options);
        IReadOnlyList<NodeReport> nodes = ReportBuilder.Nodes(_original, _changes, graph, placement, formats, _options);
        var activations = new ActivationParameters(graph, placement, _calibrator.Estimators, formats.ActivationOf, given.Activations);
        var writer = new QdqWriter(graph, placement, activations, formats.WeightOf, _options.EffectiveWeightRange, given.Weights);
        writer.Write();
        graph.Metadata["fewbit.weights"] = _options.Weights.Name;
        graph.Metadata["fewbit.method"] = _options.Method.ToString().ToLowerInvariant();
        graph.Metadata["fewbit.activations"] = _options.Activations?.Name ?? "float";
        var report = new QuantizationReport(nodes, writer.Tensors, writer.Weights, ReportBuilder.Size(_original, graph, writer.Weights),
            _calibrator.SampleCount, [.. ExclusionsWithoutEffect(graph), .. ReportBuilder.Warnings(_calibrator.Estimators, writer.Tensors, writer.Weights)]) { Units = units };
        return new(graph, Prepared, report);
    }

    /// <summary>Excluded nodes that preparation folded into others.</summary>
    private IEnumerable<string> ExclusionsWithoutEffect(Graph graph) => _options.Exclude
        .Where(name => graph.Nodes.All(node => node.Name != name))
        .Select(name => $"excluding '{name}' has no effect: {_changes.GetValueOrDefault(name, "preparation removed it")}; exclude the node that took it in");

    private static Placement Place(Graph graph, QuantizationOptions options, IReadOnlyDictionary<string, RangeEstimator> estimators)
    {
        var excluded = options.Exclude.ToHashSet(StringComparer.Ordinal);
        return new(graph, Refusal, options);

        string? Refusal(Node node)
        {
            if (excluded.Contains(node.Name)) return "excluded";
            foreach (Value value in OperatorRules.DataInputs(node).Concat(node.Outputs))
            {
                if (ActivationParameters.FindEstimator(estimators, value) is { } estimator && Quantizer.WhyNoScale(value.Name, estimator) is { } reason) return reason;
            }
            return null;
        }
    }

    /// <summary>Names of the values whose range the default options need, for a prepared graph.</summary>
    internal static IEnumerable<string> Observed(Graph prepared) => Observed(prepared, Place(prepared, new(), new Dictionary<string, RangeEstimator>()));

    /// <summary>Values whose range is needed: those that carry codes and are not merely moved ones.</summary>
    private static IEnumerable<string> Observed(Graph graph, Placement placement) => placement.Quantized
        .Where(value => value.Constant is null && !QuantizerSites.IsMoved(placement, value))
        .Select(value => value.Name);
}
