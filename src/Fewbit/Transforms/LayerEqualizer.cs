using System.Globalization;
using Fewbit.Graphs;

namespace Fewbit.Transforms;

/// <summary>Scales the channels between layers until both sides have equal ranges.</summary>
internal static class LayerEqualizer
{
    /// <param name="graph">The prepared graph; it is changed.</param>
    /// <param name="options">Settings.</param>
    /// <param name="samples">Data that the cost of replacing Clip is measured on; may be none.</param>
    public static TransformReport Run(Graph graph, EqualizeLayers options, KeptBatches samples)
    {
        var report = new TransformReport(options);
        ClipReplacement.Run(graph, options, samples, report);
        IReadOnlyList<LayerCut> cuts = LayerCut.Find(graph, allowsClips: false, report.Skip);
        if (cuts.Count == 0) return report;
        var layers = cuts.SelectMany(cut => cut.Readers.Select(reader => reader.Node).Append(cut.Source)).Distinct().ToDictionary(node => node, node => new ScaledLayer(node));
        var unequal = cuts.Select(cut => Unevenness(cut, layers)).ToArray();
        double change = double.PositiveInfinity;
        while (report.Sweeps < options.Sweeps && change > options.Tolerance)
        {
            change = cuts.Select(cut => Equalize(cut, layers)).Max();
            report.Sweeps++;
        }
        foreach (ScaledLayer layer in layers.Values) layer.Write();
        foreach ((LayerCut cut, double before) in cuts.Zip(unequal))
        {
            string readers = string.Join(", ", cut.Readers.Select(reader => reader.Node.ToString()));
            report.Change(cut.Source, string.Create(CultureInfo.InvariantCulture, $"equalized with {readers}; its channels were apart by up to {before:0.0}"));
        }
        return report;
    }

    /// <summary>The largest step of a sweep, as log(factor).</summary>
    private static double Equalize(LayerCut cut, Dictionary<Node, ScaledLayer> layers)
    {
        double largest = 0;
        ScaledLayer source = layers[cut.Source];
        (double[] written, double[] read) = Ranges(cut, layers);
        for (int c = 0; c < written.Length; c++)
        {
            // A channel that is written or read with zeros alone has no range to share.
            if (written[c] == 0 || read[c] == 0) continue;
            double factor = Math.Sqrt(written[c] / read[c]);
            source.ScaleOutput(c, 1 / factor);
            foreach ((Node reader, int spread) in cut.Readers) layers[reader].ScaleInput(c, spread, factor);
            largest = Math.Max(largest, Math.Abs(Math.Log(factor)));
        }
        return largest;
    }

    /// <summary>How far apart the ranges of the source's channels are: the largest over the smallest that is not 0.</summary>
    private static double Unevenness(LayerCut cut, Dictionary<Node, ScaledLayer> layers)
    {
        double[] ranges = [.. layers[cut.Source].OutputRanges().Where(range => range > 0)];
        return ranges.Length == 0 ? 1 : ranges.Max() / ranges.Min();
    }

    private static (double[] Written, double[] Read) Ranges(LayerCut cut, Dictionary<Node, ScaledLayer> layers)
    {
        double[] written = layers[cut.Source].OutputRanges(), read = new double[written.Length];
        foreach ((Node reader, int spread) in cut.Readers)
        {
            double[] ranges = layers[reader].InputRanges(spread);
            for (int c = 0; c < read.Length; c++) read[c] = Math.Max(read[c], ranges[c]);
        }
        return (written, read);
    }
}
