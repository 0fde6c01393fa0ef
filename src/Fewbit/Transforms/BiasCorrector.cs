using System.Globalization;
using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Tensors;

namespace Fewbit.Transforms;

/// <summary>Finds biases with which rounding leaves the mean of each layer's result where the float network has it.</summary>
internal static class BiasCorrector
{
    /// <param name="prepared">The float graph that the sites are of; it stays as it is.</param>
    /// <param name="options">Settings.</param>
    /// <param name="sites">Where quantizers stand.</param>
    /// <param name="activations">Scale and zero point by the site's value name.</param>
    /// <param name="weights">The numbers that codes stand for, by node name.</param>
    /// <param name="samples">Data for the layers that statistics do not reach.</param>
    /// <returns>The corrected biases by node name, and what was done.</returns>
    public static (IReadOnlyDictionary<string, Tensor> Biases, TransformReport Report) Run(Graph prepared, CorrectBiases options, QuantizerSites sites,
        IReadOnlyDictionary<string, QuantizationParameters> activations, IReadOnlyDictionary<string, Tensor> weights, KeptBatches samples)
    {
        var report = new TransformReport(options);
        var biases = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        var moments = new MomentPropagation();
        List<Node> left = [];
        foreach (Node node in sites.Weights.Select(site => site.Node))
        {
            if (node.Is("MatMul")) report.Skip(node, "it has no bias");
            else if (options.Source == MeanSource.Data || !Analyze(node)) left.Add(node);
        }
        if (left.Count == 0) return (biases, report);
        if (options.Source == MeanSource.Statistics || samples.Batches.Count == 0)
        {
            foreach (Node node in left) report.Skip(node, $"no batch-norm statistics reach its input{(options.Source == MeanSource.Statistics ? "" : ", and there are no calibration data")}");
            return (biases, report);
        }
        Graph simulated = SimulatedGraph.Build(prepared, sites, activations, weights);
        foreach (Node node in simulated.Nodes.Where(node => biases.ContainsKey(node.Name))) LayerChannels.SetBias(node, biases[node.Name]);
        IReadOnlyDictionary<string, double[]> changes = MeanCorrection.Measure(prepared, simulated, [.. left.Select(node => node.Name)], samples);
        foreach (Node node in left) Change(node, changes[node.Name], $"{samples.SampleCount} samples");
        return (biases, report);

        bool Analyze(Node node)
        {
            var channels = new LayerChannels(node);
            if (moments.Of(node.Inputs[0]!)?.Mean is not { } mean || channels.Inputs % mean.Length != 0) return false;
            double[] inputs = [.. mean.SelectMany(value => Enumerable.Repeat(value, channels.Inputs / mean.Length))];
            double[] rounded = channels.Product(weights[node.Name].Span<float>(), inputs), exact = channels.Product(channels.Weight.Span<float>(), inputs);
            Change(node, [.. exact.Zip(rounded, (x, y) => x - y)], "batch-norm statistics");
            return true;
        }

        void Change(Node node, double[] change, string source)
        {
            biases[node.Name] = LayerChannels.Added(node.Input(2)?.Constant, change);
            report.Change(node, string.Create(CultureInfo.InvariantCulture, $"bias moved by up to {change.Max(Math.Abs):G3}, from {source}"));
        }
    }
}
