using System.Globalization;
using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Passes;
using Fewbit.Tensors;

namespace Fewbit.Transforms;

/// <summary>Lets Relu stand for Clip(0, c) between layers, where the float network hardly changes.</summary>
internal static class ClipReplacement
{
    public static void Run(Graph graph, EqualizeLayers options, KeptBatches samples, TransformReport report)
    {
        Node[] clips = [.. LayerCut.Find(graph, allowsClips: true, (_, _) => { }).SelectMany(cut => cut.Between).Where(LayerCut.IsClip)];
        if (clips.Length == 0) return;
        if (samples.Batches.Count == 0)
        {
            Refuse("without calibration data the cost of a Relu in its place is not known");
            return;
        }
        Graph replaced = graph.Clone();
        var names = clips.Select(clip => clip.Name).ToHashSet(StringComparer.Ordinal);
        foreach (Node clip in replaced.Nodes.Where(node => names.Contains(node.Name)).ToArray()) Replace(clip);
        double cost = Difference(graph, replaced, samples);
        report.ClipCost = cost;
        string said = string.Create(CultureInfo.InvariantCulture, $"{cost:G3} of the float output on {samples.SampleCount} samples, all such nodes together");
        if (!(cost <= options.LargestClipCost))
        {
            Refuse(string.Create(CultureInfo.InvariantCulture, $"a Relu in its place would change {said}; the limit is {options.LargestClipCost:G3}"));
            return;
        }
        foreach (Node clip in clips)
        {
            report.Change(clip, $"became Relu, which changes {said}");
            Replace(clip);
        }

        void Refuse(string reason)
        {
            foreach (Node clip in clips) report.Skip(clip, reason);
        }
    }

    private static void Replace(Node clip)
    {
        (Graph graph, Value input, Value output, string name, int index) = (clip.Graph, clip.Inputs[0]!, clip.Outputs[0], clip.Name, clip.Graph.IndexOf(clip));
        graph.Remove(clip);
        graph.InsertNode(index, "", "Relu", name, [input], [output], []);
    }

    /// <summary>|b - a| / |a| over all float outputs and samples.</summary>
    private static double Difference(Graph a, Graph b, KeptBatches samples)
    {
        double difference = 0, size = 0;
        (GraphRunner first, GraphRunner second) = (Prepared(a), Prepared(b));
        using (first)
        using (second)
        {
            foreach (IReadOnlyDictionary<string, Tensor> batch in samples.Batches)
            {
                IReadOnlyDictionary<string, Tensor> expected = first.Run(batch), found = second.Run(batch);
                foreach ((string name, Tensor tensor) in expected.Where(pair => pair.Value.Type == ElementType.Float32))
                {
                    ReadOnlySpan<float> x = tensor.Span<float>(), y = found[name].Span<float>();
                    for (int i = 0; i < x.Length; i++)
                    {
                        difference += ((double)y[i] - x[i]) * ((double)y[i] - x[i]);
                        size += (double)x[i] * x[i];
                    }
                }
            }
        }
        return difference == 0 ? 0 : Math.Sqrt(difference / size);
    }

    private static GraphRunner Prepared(Graph graph)
    {
        Graph copy = graph.Clone();
        Passes.PrepareForExecution(copy);
        return new(copy);
    }
}
