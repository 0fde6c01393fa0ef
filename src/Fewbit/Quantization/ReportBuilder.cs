using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>Says for each node of the original model what was asked for and what was done.</summary>
internal static class ReportBuilder
{
    /// <param name="original">The model as it was given.</param>
    /// <param name="changes">What preparation did to a node, by its name.</param>
    /// <param name="prepared">After preparation, before any rewriting; the placement is of this graph.</param>
    /// <param name="placement">What was decided.</param>
    /// <param name="formats">Bits.</param>
    /// <param name="options">What was asked for.</param>
    public static IReadOnlyList<NodeReport> Nodes(
        Graph original, IReadOnlyDictionary<string, string> changes, Graph prepared, Placement placement, FormatRules formats, QuantizationOptions options)
    {
        var byName = prepared.Nodes.ToDictionary(node => node.Name, StringComparer.Ordinal);
        return [.. original.Nodes.Select(node => byName.TryGetValue(node.Name, out Node? kept) ? OfKept(kept) : OfRemoved(node))];

        NodeReport OfKept(Node node)
        {
            string requested = Requested(node, placement, formats, options);
            if (placement.MergedInto.TryGetValue(node, out Node? into))
                return new(node.Name, node.OpType, requested, $"range of {into}", NodeOutcome.Merged, "");
            if (placement.Selected.Contains(node))
                return new(node.Name, node.OpType, requested, Applied(node, placement, formats), placement.IsForIntegers && formats.HasIntegerWeight(node) ? NodeOutcome.Integer : NodeOutcome.Rounded, "");
            NodeOutcome outcome = placement.RoleOf(node) == NodeRole.NotNumeric ? NodeOutcome.NotNumeric : NodeOutcome.Float;
            return new(node.Name, node.OpType, requested, outcome == NodeOutcome.Float ? "float" : "unchanged", outcome, placement.ReasonOf(node));
        }

        NodeReport OfRemoved(Node node)
        {
            string what = changes.GetValueOrDefault(node.Name) ?? (node.Is("Constant") ? "became an initializer" : "nothing needs it");
            return new(node.Name, node.OpType, "", what, NodeOutcome.Merged, "");
        }
    }

    /// <summary>What deserves attention.</summary>
    public static IReadOnlyList<string> Warnings(IReadOnlyDictionary<string, RangeEstimator> estimators, IReadOnlyList<TensorReport> tensors, IReadOnlyList<WeightReport> weights)
    {
        var warnings = new List<string>();
        foreach ((string name, RangeEstimator estimator) in estimators)
        {
            if (estimator.NanCount + estimator.InfinityCount > 0)
                warnings.Add($"'{name}' was NaN {estimator.NanCount} and infinite {estimator.InfinityCount} times of {estimator.Count} in calibration; they were left out");
        }
        warnings.AddRange(tensors.Where(tensor => tensor.Remark.Length > 0).Select(tensor => $"'{tensor.Name}': {tensor.Remark} in calibration"));
        foreach (WeightReport weight in weights)
        {
            if (weight.Remark.Length > 0) warnings.Add($"'{weight.Name}' of '{weight.Node}': {weight.Remark}");
            if (weight.ZeroChannels.Count > 0) warnings.Add($"'{weight.Name}' of '{weight.Node}': {weight.ZeroChannels.Count} channels hold only zeros ({Listed(weight.ZeroChannels)})");
            if (weight.WidenedChannels.Count > 0)
                warnings.Add($"'{weight.Name}' of '{weight.Node}': the scale of {weight.WidenedChannels.Count} channels was enlarged so that the bias fits into 32 bits ({Listed(weight.WidenedChannels)})");
        }
        return warnings;
    }

    /// <summary>What the formats asked for do not bring.</summary>
    public static IEnumerable<string> WithoutSpeed(IReadOnlyList<TensorReport> tensors, IReadOnlyList<WeightReport> weights, QuantizationOptions options)
    {
        if (tensors.FirstOrDefault(tensor => tensor.IsSimulated) is { } simulated)
            yield return $"{tensors.Count(tensor => tensor.IsSimulated)} activations are {simulated.Format}, which no runtime has a kernel for: standard operators simulate it, with no speed-up (--strict refuses that)";
        if (options.Activations is { } activations && ActivationForms.Of(activations) is ActivationForm.Word or ActivationForm.Float8)
            yield return $"activations are {activations}: ONNX Runtime rounds to it and computes in float, with no speed-up on a CPU";
        foreach (var group in weights.Where(weight => weight.IsComputedInFloat).GroupBy(weight => (weight.Stored, weight.Granularity.BlockSize)))
            yield return $"{group.Count()} weights are held as {group.Key.Stored}{(group.Key.BlockSize > 0 ? $", in blocks of {group.Key.BlockSize}" : "")}: ONNX Runtime computes these layers in float, smaller but not faster";
    }

    /// <summary>Sizes of the constants of both graphs.</summary>
    public static SizeReport Size(Graph original, Graph quantized, IReadOnlyList<WeightReport> weights)
    {
        long written = quantized.Constants.Sum(constant => constant.Constant!.ByteCount);
        // Weights shared by several nodes are stored once.
        long saved = weights.Where(weight => weight.StoredBytes > 0).Sum(weight => weight.StoredBytes - (weight.ElementCount * weight.Format.BitWidth + 7) / 8);
        return new(original.Constants.Sum(value => value.Constant!.ByteCount) + NodeConstants(original), written, written - saved);
    }

    private static long NodeConstants(Graph graph) =>
        graph.Nodes.Where(node => node.Is("Constant")).Sum(node => node.Attributes.Find("value") is Tensor tensor ? tensor.ByteCount : 0);

    private static string Requested(Node node, Placement placement, FormatRules formats, QuantizationOptions options)
    {
        if (options.Exclude.Contains(node.Name)) return "float";
        bool hasWeight = OperatorRules.WeightOf(node) is not null;
        string activations = $"{formats.RequestedActivationsOf(node)?.Name ?? "float"} activations";
        return placement.RoleOf(node) == NodeRole.NotNumeric ? "" : hasWeight ? $"{formats.WeightOf(node).Name} weights, {activations}" : activations;
    }

    private static string Applied(Node node, Placement placement, FormatRules formats)
    {
        string weight = OperatorRules.WeightOf(node) is not null ? $"{formats.WeightOf(node).Name} weights, " : "";
        return $"{weight}{Held(OperatorRules.DataInputs(node).First(), placement, formats)} input, {Held(placement.ResultOf(node), placement, formats)} output";
    }

    private static string Held(Value value, Placement placement, FormatRules formats)
    {
        if (placement.IsForIntegers) return placement.IsQuantized(value) ? formats.ActivationOf(value).Name : "float";
        Value[] sites = [.. PaperSites.Behind(value).Where(placement.IsQuantized)];
        return sites.Length == 0 ? "float" : string.Join('/', sites.Select(site => NameOf(formats.ActivationOf(site))).Distinct());
    }

    private static string NameOf(NumberFormat format) => ActivationForms.Of(format) == ActivationForm.Simulated ? $"{format.Name} (simulation, no speed-up)" : format.Name;

    private static string Listed(IReadOnlyList<int> channels) => string.Join(", ", channels.Take(8)) + (channels.Count > 8 ? ", ..." : "");
}
