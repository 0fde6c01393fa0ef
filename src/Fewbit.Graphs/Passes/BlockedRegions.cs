using Fewbit.Graphs.Operators;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Passes;

/// <summary>Finds the connected parts of a graph that gain by computing on blocks of channels.</summary>
internal static class BlockedRegions
{
    // What an open length is taken for where gain and cost are compared: both grow with it.
    private const long UsualLength = 32;

    /// <summary>The nodes of all such regions and what each reads and writes in blocks.</summary>
    public static IReadOnlyDictionary<Node, BlockedRole> Of(Graph graph, PassReport report, bool ignoresCost)
    {
        var left = new HashSet<Node>();
        HashSet<Value> captured = BlockChannels.Captured(graph);
        while (true)
        {
            Dictionary<Node, BlockedRole> roles = Spread(graph, left);
            List<Node> losing = [.. Regions(roles).Where(region => !Pays(region, roles, captured)).SelectMany(region => region).Where(node => IsConvolution(node))];
            if (losing.Count == 0 || ignoresCost) return roles;
            foreach (Node node in losing) report.Skip(node, "reordering would cost more than it gains");
            left.UnionWith(losing);
        }
    }

    /// <summary>Every convolution that fits, and what follows on blocks alone.</summary>
    private static Dictionary<Node, BlockedRole> Spread(Graph graph, HashSet<Node> left)
    {
        var roles = new Dictionary<Node, BlockedRole>();
        foreach (Node node in graph.Nodes)
        {
            BlockedRole? role = !IsConvolution(node) ? BlockedRole.OfFollower(node, value => IsBlocked(value, roles))
                : !left.Contains(node) && ShapeOf(node) is { } shape ? BlockedRole.OfConvolution(node, shape, value => IsBlocked(value, roles)) : null;
            if (role is not null) roles.Add(node, role);
        }
        return roles;
    }

    private static bool IsBlocked(Value value, Dictionary<Node, BlockedRole> roles) =>
        value.Producer is { } producer ? roles.TryGetValue(producer, out BlockedRole? role) && role.Writes(value) : value.Layout == Layout.ChannelBlocks16;

    private static bool IsConvolution(Node node) => node.Is("Conv") || (node.Domain == OperatorTable.FewbitDomain && node.OpType is "FusedConv" or "ConvBackwardData" or "ConvBackwardWeights");

    /// <summary>The forward convolution, or that of which the node computes a gradient, with open lengths filled in; null where its kernel could not be a blocked one.</summary>
    private static Conv2DShape? ShapeOf(Node node)
    {
        if (node.Outputs[0].Type != ElementType.Float32) return null;
        (Value? image, Value? weight, WindowAttributes window, long groups) = node.Operator switch
        {
            Conv conv => (node.Input(0), node.Input(1), conv.Window, conv.Groups),
            ConvBackwardData data => (node.Outputs[0], node.Input(1), data.Window, data.Groups),
            ConvBackwardWeights weights => (node.Input(0), node.Outputs[0], weights.Window, weights.Groups),
            _ => default,
        };
        if (image?.Shape is not { Rank: 4 } x || !x[1].IsKnown || weight?.Shape is not { IsKnown: true } w) return null;
        ConvGeometry geometry = ConvGeometry.Of(node, window, groups, Filled(x).With(0, 1), w.ToShape());
        return geometry.IsMatrixProduct ? null : geometry.ToPlanar();
    }

    private static bool AllowsWinograd(Node node) => node.Operator is Conv { AllowsWinograd: true } or ConvBackwardData { AllowsWinograd: true } or ConvBackwardWeights { AllowsWinograd: true };

    /// <summary>The shape with usual lengths where they are not known. It weighs gains, so lengths beyond any image may be cut: a product of four then fits 63 bits.</summary>
    private static Shape Filled(SymbolicShape shape)
    {
        const long longest = 1 << 15;
        var dims = new long[shape.Rank];
        for (int axis = 0; axis < dims.Length; axis++) dims[axis] = shape[axis].IsKnown ? Math.Min(shape[axis].Length, longest) : UsualLength;
        return new(dims);
    }

    private static IEnumerable<IReadOnlyList<Node>> Regions(Dictionary<Node, BlockedRole> roles)
    {
        var seen = new HashSet<Node>();
        foreach (Node start in roles.Keys)
        {
            if (!seen.Add(start)) continue;
            var region = new List<Node> { start };
            for (int i = 0; i < region.Count; i++) region.AddRange(Neighbours(region[i], roles).Where(seen.Add));
            yield return region;
        }
    }

    private static IEnumerable<Node> Neighbours(Node node, Dictionary<Node, BlockedRole> roles)
    {
        BlockedRole role = roles[node];
        foreach (int input in role.BlockedInputs)
        {
            if (node.Inputs[input]!.Producer is { } producer && IsBlocked(node.Inputs[input]!, roles)) yield return producer;
        }
        foreach (Use use in role.BlockedOutputs.SelectMany(output => node.Outputs[output].Uses))
        {
            if (roles.TryGetValue(use.Node, out BlockedRole? reader) && reader.Reads(use.Index)) yield return use.Node;
        }
    }

    private static bool Pays(IReadOnlyList<Node> region, Dictionary<Node, BlockedRole> roles, HashSet<Value> captured)
    {
        double gain = 0;
        var reordered = new HashSet<Value>();
        foreach (Node node in region)
        {
            BlockedRole role = roles[node];
            if (IsConvolution(node) && ShapeOf(node) is { } shape) gain += BlockedGain.OfConvolution(shape, !role.Reads(0), AllowsWinograd(node));
            reordered.UnionWith(role.BlockedInputs.Select(input => node.Inputs[input]!).Where(value => value.Constant is null && !IsBlocked(value, roles)));
            reordered.UnionWith(role.BlockedOutputs.Select(output => node.Outputs[output]).Where(value => BlockChannels.ReadsPlain(value, roles, captured)));
        }
        return gain >= reordered.Sum(value => BlockedGain.CostOfReorder(Filled(value.Shape!).With(0, 1).ElementCount));
    }
}
