using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Reconstruction;
using Fewbit.Tensors;
using Fewbit.Transforms;

namespace Fewbit.Quantization;

/// <summary>A prepared float graph with the ranges of its values: what quantized graphs are made from, with any options that keep the range rule.</summary>
internal sealed class CalibratedModel
{
    private readonly Graph _original;
    private readonly QuantizationOptions _options;
    private readonly Calibrator _calibrator;
    private readonly IReadOnlyDictionary<string, string> _changes;
    private readonly KeptBatches _kept;
    private readonly IReadOnlyList<TransformReport> _transforms;

    private CalibratedModel(Graph original, QuantizationOptions options, KeptBatches kept)
    {
        Graph prepared = Preparation.Prepare(original, out _changes);
        (_original, Prepared, _options, _kept) = (original, prepared, options, kept);
        _transforms = FloatTransforms.Apply(prepared, options.Transforms, kept);
        Placement placement = Place(prepared, options, new Dictionary<string, RangeEstimator>());
        ModelCheck.CheckPlacement(prepared, placement);
        foreach (Node node in placement.Selected) WeightQuantizer.CheckFinite(node);
        HashSet<string> sites = [.. PaperSites.Find(placement.Selected.Where(node => placement.RoleOf(node) == NodeRole.Compute)).Select(value => value.Name)];
        _calibrator = new(prepared, Observed(prepared, placement).ToDictionary(name => name, name => options.EffectiveActivationRange(sites.Contains(name)).CreateEstimator(), StringComparer.Ordinal));
    }

    /// <summary>The float graph after preparation and the transforms of it: the same function, the names kept.</summary>
    public Graph Prepared { get; }

    public static async Task<CalibratedModel> CreateAsync(
        Graph original, IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> batches, QuantizationOptions options, IProgress<long>? progress, CancellationToken cancellation)
    {
        ModelCheck.Check(original);
        ModelCheck.CheckExclusions(original, options.Exclude);
        await using IAsyncEnumerator<IReadOnlyDictionary<string, Tensor>> source = batches.GetAsyncEnumerator(cancellation);
        KeptBatches kept = await KeptBatches.ReadAsync(source, options.Transforms.Select(transform => transform.SamplesNeeded).DefaultIfEmpty().Max(), cancellation).ConfigureAwait(false);
        var model = new CalibratedModel(original, options, kept);
        await model._calibrator.RunAsync(kept.Then(source), progress, cancellation).ConfigureAwait(false);
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
        TransformReport? correction = CorrectBiases(graph, given);
        Placement placement = Place(graph, _options, _calibrator.Estimators);
        ModelCheck.CheckPlacement(graph, placement);
        var formats = new FormatRules(graph, placement, _options);
        IReadOnlyList<NodeReport> nodes = ReportBuilder.Nodes(_original, _changes, graph, placement, formats, _options);
        var activations = new ActivationParameters(graph, placement, _calibrator.Estimators, formats.ActivationOf, given.Activations);
        var writer = new QdqWriter(graph, placement, activations, formats.WeightOf, _options.EffectiveWeightRange, _options.WeightGranularity, given.Weights);
        writer.Write();
        graph.Metadata["fewbit.weights"] = _options.Weights.Name;
        graph.Metadata["fewbit.method"] = _options.Method.ToString().ToLowerInvariant();
        graph.Metadata["fewbit.activations"] = _options.Activations?.Name ?? "float";
        var report = new QuantizationReport(nodes, writer.Tensors, writer.Weights, ReportBuilder.Size(_original, graph, writer.Weights),
            _calibrator.SampleCount, [.. ExclusionsWithoutEffect(graph), .. ReportBuilder.Warnings(_calibrator.Estimators, writer.Tensors, writer.Weights)]) { Units = units, Transforms = correction is null ? _transforms : [.. _transforms, correction] };
        return new(graph, Prepared, report);
    }

    /// <summary>Gives a copy of the prepared graph the biases that make up for rounding, if the options ask for them.</summary>
    private TransformReport? CorrectBiases(Graph graph, GivenQuantizers given)
    {
        if (_options.Transforms.OfType<CorrectBiases>().FirstOrDefault() is not { } transform) return null;
        Placement placement = Place(Prepared, _options, _calibrator.Estimators);
        var formats = new FormatRules(Prepared, placement, _options);
        QuantizerSites sites = QuantizerSites.Of(Prepared, placement, formats);
        var parameters = new ActivationParameters(Prepared, placement, _calibrator.Estimators, formats.ActivationOf, given.Activations);
        (IReadOnlyDictionary<string, Tensor> biases, TransformReport report) = BiasCorrector.Run(Prepared, transform, sites,
            sites.Activations.ToDictionary(site => site.Value.Name, site => parameters.Of(site.Value), StringComparer.Ordinal),
            sites.Weights.ToDictionary(site => site.Node.Name, RoundedWeight, StringComparer.Ordinal), _kept);
        foreach (Node node in graph.Nodes.Where(node => biases.ContainsKey(node.Name))) LayerChannels.SetBias(node, biases[node.Name]);
        return report;

        Tensor RoundedWeight(WeightSite site) => given.Weights.TryGetValue(site.Node.Name, out GivenWeight? weight) ? AffineQuantizer.Dequantize(weight.Codes, weight.Parameters)
            : SimulatedGraph.Nearest(site, WeightQuantizer.FitChannels(site.Weight.Constant!, site.Axis, site.Format, _options.EffectiveWeightRange(site.Format), site.Granularity));
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
