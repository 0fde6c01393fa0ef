using Fewbit.Cli.Inspection;
using Fewbit.Graphs;
using Fewbit.Models;
using Fewbit.Quantization;

namespace Fewbit.Cli.Quantizing;

/// <summary>How much of the work runs in integers.</summary>
/// <param name="Integer">Share of the multiply-adds that run on codes; null where they cannot be counted.</param>
/// <param name="Total">Multiply-adds of one sample; null where they cannot be counted.</param>
internal sealed record CostShare(double? Integer, long? Total)
{
    public static CostShare Of(Graph original, QuantizationReport report)
    {
        var integer = report.Nodes.Where(node => node.Outcome == NodeOutcome.Integer).Select(node => node.Name).ToHashSet(StringComparer.Ordinal);
        LayerCost[] costs = [.. Sizing.OneSample(original, null).Nodes.Select(LayerCost.Of).OfType<LayerCost>()];
        if (costs.Length == 0 || costs.Any(cost => cost.MultiplyAdds is null)) return new(null, null);
        long total = costs.Sum(cost => cost.MultiplyAdds!.Value);
        return new((double)costs.Where(cost => integer.Contains(cost.Node)).Sum(cost => cost.MultiplyAdds!.Value) / total, total);
    }
}
