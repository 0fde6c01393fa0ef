using System.Globalization;
using Fewbit.Graphs;

namespace Fewbit.Transforms;

/// <summary>Moves what lies above 0 nearly always from a layer's bias into the biases of the layers that read it.</summary>
/// <remarks>Unlike the paper it leaves readers that pad with zeros: there the moved part would be missing at the border.</remarks>
internal static class BiasAbsorber
{
    /// <param name="graph">The prepared graph; it is changed.</param>
    /// <param name="options">Settings.</param>
    public static TransformReport Run(Graph graph, AbsorbBiases options)
    {
        var report = new TransformReport(options);
        foreach (LayerCut cut in LayerCut.Find(graph, allowsClips: false, report.Skip))
        {
            if (Obstacle(cut) is { } obstacle) report.Skip(cut.Source, obstacle);
            else Absorb(cut, options, report);
        }
        return report;
    }

    private static string? Obstacle(LayerCut cut)
    {
        if (cut.Source.Inputs[1]!.FoldedBatchNorm is null) return "it has no batch-norm statistics";
        if (cut.Between.FirstOrDefault(node => node.Is("AveragePool")) is { } pool) return $"{pool} may pad with zeros";
        return cut.Readers.Select(reader => reader.Node).FirstOrDefault(IsPadded) is { } padded ? $"{padded} pads with zeros, which would be missing what was moved" : null;
    }

    private static bool IsPadded(Node node) =>
        node.Is("Conv") && (node.Ints("pads")?.Any(pad => pad != 0) == true || node.String("auto_pad", "NOTSET") is "SAME_UPPER" or "SAME_LOWER");

    private static void Absorb(LayerCut cut, AbsorbBiases options, TransformReport report)
    {
        (Value weight, LayerChannels source) = (cut.Source.Inputs[1]!, new(cut.Source));
        FoldedBatchNorm norm = weight.FoldedBatchNorm!;
        var moved = new double[source.Outputs];
        for (int c = 0; c < moved.Length; c++) moved[c] = Math.Max(0, norm.Bias.Span<float>()[c] - options.Deviations * Math.Abs(norm.Scale.Span<float>()[c]));
        int count = moved.Count(value => value > 0);
        if (count == 0)
        {
            report.Skip(cut.Source, string.Create(CultureInfo.InvariantCulture, $"no channel lies {options.Deviations:G3} standard deviations above 0"));
            return;
        }
        double[] lowered = [.. moved.Select(value => -value)];
        LayerChannels.SetBias(cut.Source, LayerChannels.Added(source.Bias, lowered));
        weight.FoldedBatchNorm = norm with { Bias = LayerChannels.Added(norm.Bias, lowered) };
        foreach ((Node reader, int spread) in cut.Readers) AddTo(reader, [.. moved.SelectMany(value => Enumerable.Repeat(value, spread))]);
        report.Change(cut.Source, string.Create(CultureInfo.InvariantCulture, $"{count} of {moved.Length} channels lowered by up to {moved.Max():G3}, made up for in {string.Join(", ", cut.Readers.Select(reader => reader.Node.ToString()))}"));
    }

    private static void AddTo(Node reader, double[] moved)
    {
        var channels = new LayerChannels(reader);
        double[] change = channels.Product(channels.Weight.Span<float>(), moved);
        LayerChannels.SetBias(reader, LayerChannels.Added(channels.Bias, change));
        if (reader.Inputs[1]!.FoldedBatchNorm is not { } norm) return;
        // The normalized result stays what it was; what is normalized has moved with its running mean.
        double[] mean = channels.Product(norm.Weight.Span<float>(), moved);
        reader.Inputs[1]!.FoldedBatchNorm = norm with { Mean = LayerChannels.Added(norm.Mean, [.. mean.Select(value => -value)]) };
    }
}
