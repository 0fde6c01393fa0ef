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
    private readonly Dictionary<string, RangeRule> _rules;
    private readonly IReadOnlyDictionary<string, string> _changes;
    private readonly KeptBatches _kept;
    private readonly IReadOnlyList<TransformReport> _transforms;

    private CalibratedModel(Graph original, QuantizationOptions options, KeptBatches kept)
    {
        QuantizationOptions expanded = LayerOverrides.Expand(options, original);
        Graph prepared = Preparation.Prepare(original, out _changes);
        (_original, Prepared, _options, _kept) = (original, prepared, options, kept);
        _transforms = FloatTransforms.Apply(prepared, options.Transforms, kept);
        Placement placement = Place(prepared, expanded, new Dictionary<string, RangeEstimator>());
        ModelCheck.CheckPlacement(prepared, placement);
        foreach (Node node in placement.Selected) WeightQuantizer.CheckFinite(node);
        var formats = new FormatRules(prepared, placement, expanded);
        _rules = Observed(prepared, placement).ToDictionary(value => value.Name, formats.ActivationRangeOf, StringComparer.Ordinal);
        _calibrator = new(prepared, _rules.ToDictionary(pair => pair.Key, pair => pair.Value.CreateEstimator(), StringComparer.Ordinal));
    }

    /// <summary>The float graph after preparation and the transforms of it: the same function, the names kept.</summary>
    public Graph Prepared { get; }

    public static async Task<CalibratedModel> CreateAsync(
        Graph original, IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> batches, QuantizationOptions options, IProgress<long>? progress, CancellationToken cancellation)
    {
        ModelCheck.Check(original);
        ModelCheck.CheckRuntime(original, options.Runtime);
        LayerOverrides.Expand(options, original);
        await using IAsyncEnumerator<IReadOnlyDictionary<string, Tensor>> source = batches.GetAsyncEnumerator(cancellation);
        KeptBatches kept = await KeptBatches.ReadAsync(source, SamplesNeeded(options), cancellation).ConfigureAwait(false);
        var model = new CalibratedModel(original, options, kept);
        await model._calibrator.RunAsync(kept.Then(source), progress, cancellation).ConfigureAwait(false);
        return model;
    }

    /// <summary>What would become of each node, as far as calibration does not decide it.</summary>
    public static IReadOnlyList<NodeReport> Preview(Graph original, QuantizationOptions options)
    {
        ModelCheck.Check(original);
        ModelCheck.CheckRuntime(original, options.Runtime);
        options = LayerOverrides.Expand(options, original);
        Graph prepared = Preparation.Prepare(original, out IReadOnlyDictionary<string, string> changes);
        Placement placement = Place(prepared, options, new Dictionary<string, RangeEstimator>());
        ModelCheck.CheckPlacement(prepared, placement);
        foreach (Node node in placement.Selected) WeightQuantizer.CheckFinite(node);
        return ReportBuilder.Nodes(original, changes, prepared, placement, new FormatRules(prepared, placement, options), options);
    }

    /// <summary>Where quantizers stand in the prepared graph.</summary>
    /// <param name="options">Those of calibration, or others that need no new one; null for those of calibration.</param>
    public QuantizerSites FindSites(QuantizationOptions? options = null)
    {
        options = LayerOverrides.Expand(options ?? _options, _original);
        Placement placement = Place(Prepared, options, _calibrator.Estimators);
        ModelCheck.CheckPlacement(Prepared, placement);
        return QuantizerSites.Of(Prepared, placement, new FormatRules(Prepared, placement, options));
    }

    /// <summary>Whether any layer would run on codes: without one nothing can be quantized.</summary>
    public bool HasLayers(QuantizationOptions options)
    {
        Placement placement = Place(Prepared, LayerOverrides.Expand(options, _original), _calibrator.Estimators);
        return placement.Selected.Any(node => placement.RoleOf(node) == NodeRole.Compute);
    }

    /// <summary>Writes the quantizers into a copy of the prepared graph, with the options of calibration.</summary>
    /// <param name="given">Quantizers that are decided already.</param>
    /// <param name="units">What became of the units that learned them.</param>
    public QuantizationResult Quantize(GivenQuantizers given, IReadOnlyList<UnitReport> units) => Quantize(_options, given, units);

    /// <summary>Writes the quantizers into a copy of the prepared graph.</summary>
    /// <param name="options">Any that keep placement, float transforms and range rules of activations: other formats, granularities, weight ranges, exclusions and overrides need no new calibration.</param>
    /// <param name="given">Quantizers that are decided already.</param>
    /// <param name="units">What became of the units that learned them.</param>
    public QuantizationResult Quantize(QuantizationOptions options, GivenQuantizers given, IReadOnlyList<UnitReport> units)
    {
        QuantizationOptions asked = options;
        options = LayerOverrides.Expand(asked, _original);
        if (!ReferenceEquals(asked, _options)) RequireSameCalibration(options);
        Graph graph = Prepared.Clone();
        TransformReport? correction = CorrectBiases(graph, options, given);
        Placement placement = Place(graph, options, _calibrator.Estimators);
        ModelCheck.CheckPlacement(graph, placement);
        var formats = new FormatRules(graph, placement, options);
        IReadOnlyList<NodeReport> nodes = ReportBuilder.Nodes(_original, _changes, graph, placement, formats, options);
        var activations = new ActivationParameters(graph, placement, _calibrator.Estimators, formats.ActivationOf, given.Activations, options.Destination.ActivationScheme);
        string[] withoutEffect = [.. ExclusionsWithoutEffect(asked.Exclude, graph), .. LayerOverrides.WithoutEffect(asked.Overrides, _original, graph, _changes)];
        var writer = new QdqWriter(graph, placement, activations, formats, given.Weights, options.Destination);
        writer.Write();
        ModelCheck.CheckRuntime(graph, options.Runtime);
        graph.Metadata["fewbit.weights"] = options.Weights.Name;
        graph.Metadata["fewbit.method"] = options.Method.ToString().ToLowerInvariant();
        graph.Metadata["fewbit.activations"] = options.Activations?.Name ?? "float";
        var report = new QuantizationReport(nodes, writer.Tensors, writer.Weights, ReportBuilder.Size(_original, graph, writer.Weights),
            _calibrator.SampleCount, [.. withoutEffect, .. ReportBuilder.Warnings(_calibrator.Estimators, writer.Tensors, writer.Weights), .. ReportBuilder.WithoutSpeed(writer.Tensors, writer.Weights, options)]) { Units = units, Transforms = correction is null ? _transforms : [.. _transforms, correction] };
        return new(graph, Prepared, report) { Target = options.Target, Runtime = options.Runtime };
    }

    /// <summary>Gives a copy of the prepared graph the biases that make up for rounding, if the options ask for them.</summary>
    private TransformReport? CorrectBiases(Graph graph, QuantizationOptions options, GivenQuantizers given)
    {
        if (options.Transforms.OfType<CorrectBiases>().FirstOrDefault() is not { } transform) return null;
        Placement placement = Place(Prepared, options, _calibrator.Estimators);
        var formats = new FormatRules(Prepared, placement, options);
        QuantizerSites sites = QuantizerSites.Of(Prepared, placement, formats);
        var parameters = new ActivationParameters(Prepared, placement, _calibrator.Estimators, formats.ActivationOf, given.Activations, options.Destination.ActivationScheme);
        (IReadOnlyDictionary<string, Tensor> biases, TransformReport report) = BiasCorrector.Run(Prepared, transform, sites,
            sites.Activations.ToDictionary(site => site.Value.Name, site => parameters.Of(site.Value), StringComparer.Ordinal),
            sites.Weights.ToDictionary(site => site.Node.Name, RoundedWeight, StringComparer.Ordinal), _kept);
        foreach (Node node in graph.Nodes.Where(node => biases.ContainsKey(node.Name))) LayerChannels.SetBias(node, biases[node.Name]);
        return report;

        Tensor RoundedWeight(WeightSite site) => given.Weights.TryGetValue(site.Node.Name, out GivenWeight? weight) ? AffineQuantizer.Dequantize(weight.Codes, weight.Parameters)
            : SimulatedGraph.Nearest(site, WeightQuantizer.FitChannels(site.Weight.Constant!, site.Axis, site.Format, formats.WeightRangeOf(site.Node), site.Granularity));
    }

    /// <summary>Excluded nodes that preparation folded into others.</summary>
    private IEnumerable<string> ExclusionsWithoutEffect(IEnumerable<string> names, Graph graph) => names
        .Where(name => graph.Nodes.All(node => node.Name != name))
        .Select(name => $"excluding '{name}' has no effect: {_changes.GetValueOrDefault(name, "preparation removed it")}; exclude the node that took it in");

    private void RequireSameCalibration(QuantizationOptions options)
    {
        bool isRewritten = !FloatTransforms.OfModel(options.Transforms).SequenceEqual(FloatTransforms.OfModel(_options.Transforms));
        if (isRewritten || SamplesNeeded(options) > SamplesNeeded(_options)) throw new InvalidOperationException("Bug in quantization: other transforms need a new calibration");
        Placement placement = Place(Prepared, options, _calibrator.Estimators);
        var formats = new FormatRules(Prepared, placement, options);
        Value? other = Observed(Prepared, placement).FirstOrDefault(value => _rules.TryGetValue(value.Name, out RangeRule? rule) && rule != formats.ActivationRangeOf(value));
        if (other is not null) throw new InvalidOperationException($"Bug in quantization: another range rule of {other} needs a new calibration");
    }

    private static int SamplesNeeded(QuantizationOptions options) => options.Transforms.Select(transform => transform.SamplesNeeded).DefaultIfEmpty().Max();

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
    internal static IEnumerable<string> Observed(Graph prepared) => Observed(prepared, Place(prepared, new(), new Dictionary<string, RangeEstimator>())).Select(value => value.Name);

    /// <summary>Values whose range is needed: those that carry codes and are not merely moved ones.</summary>
    private static IEnumerable<Value> Observed(Graph graph, Placement placement) => placement.Quantized
        .Where(value => value.Constant is null && !QuantizerSites.IsMoved(placement, value));
}
