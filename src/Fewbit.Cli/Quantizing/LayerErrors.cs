using Fewbit.Cli.Console;
using Fewbit.Data;
using Fewbit.Evaluation;
using Fewbit.Graphs;
using Fewbit.Quantization;

namespace Fewbit.Cli.Quantizing;

/// <summary>The error of each layer for a page.</summary>
internal static class LayerErrors
{
    /// <summary>Null where the models have no values to compare.</summary>
    public static ComparisonReport? Of(Graph original, Graph model, IEnumerable<SampleBatch> batches, CommandOutput output, CancellationToken cancellation) =>
        !ModelComparison.HasValues(original, model) ? null
        : output.WithProgress("comparing layers", 100, "%", progress => ModelComparison.Compare(original, model, batches, sensitivity: false, new Percentage(progress), cancellation));

    private sealed class Percentage(IProgress<long> progress) : IProgress<QuantizationProgress>
    {
        public void Report(QuantizationProgress value) => progress.Report(value.Total is > 0 and var total ? 100 * value.Done / total : 0);
    }
}
