using Fewbit.Graphs;
using Fewbit.Quantization;

namespace Fewbit.Transforms;

/// <summary>A layer whose channels only other layers see: scaling a channel of its result and unscaling it where it is read changes nothing.</summary>
/// <param name="Source">The Conv or Gemm that writes the channels.</param>
/// <param name="Between">What lies between: positively homogeneous operators that keep channels apart.</param>
/// <param name="Readers">The Conv and Gemm nodes that read them, and how many of their input channels come from one.</param>
internal sealed record LayerCut(Node Source, IReadOnlyList<Node> Between, IReadOnlyList<(Node Node, int Spread)> Readers)
{
    /// <summary>The cuts of a graph, in its order.</summary>
    /// <param name="graph">A prepared graph.</param>
    /// <param name="allowsClips">Whether a Clip from 0 on counts as a Relu.</param>
    /// <param name="left">Told which layers have no cut behind them, and why.</param>
    public static IReadOnlyList<LayerCut> Find(Graph graph, bool allowsClips, Action<Node, string> left)
    {
        var cuts = new List<LayerCut>();
        foreach (Node node in graph.Nodes.Where(node => node.Is("Conv") || node.Is("Gemm")))
        {
            List<Node> between = [];
            List<(Node, int)> readers = [];
            string? obstacle = LayerChannels.AreKnown(node) ? Follow(node.Outputs[0], new(node), allowsClips, between, readers) : WhyUnknown(node);
            if (obstacle is null) cuts.Add(new(node, between, readers));
            else left(node, obstacle);
        }
        return cuts;
    }

    /// <summary>True for Clip(0, c): a Relu but for what lies above c.</summary>
    public static bool IsClip(Node node) => node.Is("Clip") && OperatorRules.ClipBounds(node) is { Min: 0, Max: > 0 and < float.PositiveInfinity };

    private static string? Follow(Value value, LayerChannels source, bool allowsClips, List<Node> between, List<(Node, int)> readers)
    {
        if (value.IsOutput) return $"'{value.Name}' is an output of the model";
        if (value.Uses.Count == 0) return $"nothing reads '{value.Name}'";
        foreach (Use use in value.Uses)
        {
            string? obstacle;
            if (use is { Index: 0, Node: var reader } && LayerChannels.AreKnown(reader)) obstacle = Read(reader, source, between, readers);
            else if (use.Index == 0 && IsHomogeneous(use.Node, allowsClips))
            {
                between.Add(use.Node);
                obstacle = Follow(use.Node.Outputs[0], source, allowsClips, between, readers);
            }
            else obstacle = use.Node.Is("Conv") || use.Node.Is("Gemm") ? WhyUnknown(use.Node) : $"{use.Node} reads it, which scaling channels does not pass through";
            if (obstacle is not null) return obstacle;
        }
        return null;
    }

    private static string? Read(Node reader, LayerChannels source, List<Node> between, List<(Node, int)> readers)
    {
        int inputs = new LayerChannels(reader).Inputs;
        bool isFlattened = between.Any(node => node.Is("Flatten"));
        if (inputs != source.Outputs && !(isFlattened && inputs % source.Outputs == 0)) return $"{reader} reads {inputs} channels, expected {source.Outputs}";
        readers.Add((reader, inputs / source.Outputs));
        return null;
    }

    private static bool IsHomogeneous(Node node, bool allowsClips)
    {
        if (node.Domain.Length > 0) return false;
        return node.OpType switch
        {
            "Relu" or "LeakyRelu" or "PRelu" or "AveragePool" or "GlobalAveragePool" or "GlobalMaxPool" => true,
            "MaxPool" => node.Outputs.Count == 1,
            "Flatten" => node.Int("axis", 1) == 1,
            "Clip" => OperatorRules.ClipBounds(node) is { Min: 0, Max: float.PositiveInfinity } || (allowsClips && IsClip(node)),
            _ => false,
        };
    }

    private static string WhyUnknown(Node node) => OperatorRules.Classify(node) is (NodeRole.Float, var reason) ? $"{node}: {reason}" : $"the weight of {node} is read elsewhere too";
}
