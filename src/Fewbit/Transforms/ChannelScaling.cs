using Fewbit.Graphs;
using Fewbit.Quantization;
using Fewbit.Tensors;

namespace Fewbit.Transforms;

/// <summary>Makes a network hard to quantize without changing what it computes: what an equalization must undo.</summary>
internal static class ChannelScaling
{
    /// <summary>A prepared copy whose channels between layers are scaled by factors that are log-uniform in 1/limit to limit.</summary>
    public static Graph Scale(Graph model, ulong seed, double limit)
    {
        Graph graph = Preparation.Prepare(model);
        var random = new SeededRandom(seed);
        IReadOnlyList<LayerCut> cuts = LayerCut.Find(graph, allowsClips: false, (_, _) => { });
        var layers = cuts.SelectMany(cut => cut.Readers.Select(reader => reader.Node).Append(cut.Source)).Distinct().ToDictionary(node => node, node => new ScaledLayer(node));
        foreach (LayerCut cut in cuts)
        {
            ScaledLayer source = layers[cut.Source];
            for (int c = 0; c < source.Channels.Outputs; c++)
            {
                double factor = Math.Pow(limit, random.NextDouble() * 2 - 1);
                source.ScaleOutput(c, factor);
                foreach ((Node reader, int spread) in cut.Readers) layers[reader].ScaleInput(c, spread, 1 / factor);
            }
        }
        foreach (ScaledLayer layer in layers.Values) layer.Write();
        return graph;
    }
}
