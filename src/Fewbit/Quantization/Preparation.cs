using Fewbit.Graphs;
using Fewbit.Graphs.Passes;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>Rewrites that keep the function of a float graph and ease its quantization.</summary>
internal static class Preparation
{
    /// <summary>A prepared copy of a graph; names of nodes and values that survive are kept.</summary>
    public static Graph Prepare(Graph original) => Prepare(original, out _);

    /// <summary>A prepared copy of a graph, and for each node that a pass changed, what it did.</summary>
    public static Graph Prepare(Graph original, out IReadOnlyDictionary<string, string> changes)
    {
        Graph graph = original.Clone();
        // Old exporters list every initializer among the inputs; as an input its value could not be relied on.
        foreach (Value input in graph.Inputs.Where(input => input.Constant is not null).ToArray()) graph.RemoveInput(input);
        Dictionary<string, string> done = RunPasses(graph);
        JoinClips(graph, done);
        changes = done;
        foreach (Node node in graph.Nodes.Where(node => node.Is("Gemm"))) NormalizeGemm(node);
        graph.RemoveUnusedValues();
        return graph;
    }

    private static Dictionary<string, string> RunPasses(Graph graph)
    {
        var changes = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (IPass pass in (IPass[])[new FoldConstants(), new RemoveDeadNodes(), new FoldBatchNorm(), new ReplaceReduceMean(), new RemoveDeadNodes()])
        {
            foreach (PassNote note in pass.Run(graph).Changes) changes[note.Node] = note.Text;
        }
        return changes;
    }

    /// <summary>A Relu or Clip that only a Clip reads becomes part of it: Conv, Relu, Clip is Relu6 as some converters write it.</summary>
    private static void JoinClips(Graph graph, Dictionary<string, string> changes)
    {
        foreach (Node clip in graph.Nodes.Where(node => node.Is("Clip")).ToArray())
        {
            if (clip.Inputs[0] is not { Producer: { OpType: "Relu" or "Clip", Domain: "" } first, Uses.Count: 1, IsOutput: false, Type: ElementType.Float32 }) continue;
            if (OperatorRules.ClipBounds(clip) is not { } outer || OperatorRules.ClipBounds(first) is not { } inner || outer.Min > outer.Max) continue;
            clip.SetInput(0, first.Inputs[0]);
            SetBound(clip, 1, Math.Clamp(inner.Min, outer.Min, outer.Max));
            SetBound(clip, 2, Math.Clamp(inner.Max, outer.Min, outer.Max));
            changes[first.Name] = $"joined with {clip} behind it";
            graph.Remove(first);
        }
    }

    private static void SetBound(Node clip, int index, float bound)
    {
        if (float.IsFinite(bound)) clip.SetInput(index, clip.Graph.AddConstant($"{clip.Name}_{(index == 1 ? "min" : "max")}", Tensor.Scalar(bound)));
    }

    /// <summary>Multiplies constant alpha and beta into weight and bias, and gives the bias one number per output channel.</summary>
    private static void NormalizeGemm(Node node)
    {
        if (node.Input(1) is not { IsConstant: true, Constant: { Type: ElementType.Float32, Rank: 2 } weight }) return;
        if (node.Float("alpha", 1) is var alpha && alpha != 1)
        {
            node.SetInput(1, node.Graph.AddConstant(node.Inputs[1]!.Name + "_times_alpha", Scaled(weight, alpha)));
            SetFactor(node, "alpha");
        }
        if (node.Input(2) is not { IsConstant: true, Constant: { Type: ElementType.Float32 } bias }) return;
        long channels = weight.Shape[OperatorRules.ChannelAxis(node)];
        bool isOneRow = bias.ElementCount == 1 || (bias.ElementCount == channels && bias.Rank <= 2 && bias.Shape[bias.Rank - 1] == channels);
        float beta = node.Float("beta", 1);
        if (!isOneRow || (beta == 1 && bias.Rank == 1 && bias.ElementCount == channels)) return;
        var row = new float[channels];
        for (int c = 0; c < row.Length; c++) row[c] = beta * bias.Span<float>()[bias.ElementCount == 1 ? 0 : c];
        node.SetInput(2, node.Graph.AddConstant(node.Inputs[2]!.Name + "_row", Tensor.From<float>(row)));
        SetFactor(node, "beta");
    }

    private static void SetFactor(Node node, string name)
    {
        node.Attributes.Set(name, 1f);
        node.Invalidate();
    }

    private static Tensor Scaled(Tensor tensor, float factor)
    {
        float[] values = tensor.Span<float>().ToArray();
        for (int i = 0; i < values.Length; i++) values[i] *= factor;
        return Tensor.From<float>(values, tensor.Shape);
    }
}
