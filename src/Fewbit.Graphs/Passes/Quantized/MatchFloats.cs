using Fewbit.Graphs.Operators;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Passes.Quantized;

/// <summary>
/// Puts operators with the float arithmetic of ONNX Runtime in the place of others: <see cref="ColumnConvTranspose"/>, <see cref="Operators.Elementwise.RationalSigmoid"/>,
/// and <see cref="Operators.Reductions.PacketMean"/> for ReduceMean over the last dimensions. Where an image comes from convolutions on codes, the runtime keeps its channels last, so that the order of the mean is another.
/// </summary>
internal static class MatchFloats
{
    private static readonly HashSet<string> Layoutless =
    [
        "QuantizeLinear", "DequantizeLinear", "QLinearAdd", "QLinearMul", "QLinearConcat", "QLinearSigmoid", "QLinearLeakyRelu",
        "Add", "Sub", "Mul", "Div", "Pow", "Sqrt", "Relu", "Clip", "Sigmoid", "LeakyRelu", "Concat", "MaxPool",
    ];

    public static void Apply(Graph graph)
    {
        var channelsLast = new HashSet<Value>();
        foreach (Node node in graph.Nodes.ToArray())
        {
            if (HasChannelsLast(node, channelsLast)) channelsLast.Add(node.Outputs[0]);
            if (node.Is("ConvTranspose") && node.Outputs[0].Type == ElementType.Float32) Replace(graph, node, "ColumnConvTranspose", node.Inputs, node.Attributes.Clone(body => body));
            if (node.Is("Sigmoid") && node.Outputs[0].Type == ElementType.Float32) Replace(graph, node, "RationalSigmoid", node.Inputs, []);
            if (node.Is("ReduceMean") && AxisOf(node) is { } axis)
            {
                Value x = node.Inputs[0]!;
                Replace(graph, node, "PacketMean", [x], MeanAttributes(node, axis, axis == 1 && channelsLast.Contains(x)));
            }
        }
    }

    /// <summary>Whether all images that the node takes have their channels last; those of one pixel have either order. Outputs of the graph have the order of the file.</summary>
    private static bool HasChannelsLast(Node node, HashSet<Value> channelsLast)
    {
        if (node.Outputs[0].IsOutput) return false;
        if (node.OpType == "QLinearConv") return node.Outputs[0].Shape is { Rank: 4 };
        if (!Layoutless.Contains(node.OpType)) return false;
        Value[] images = [.. node.Inputs.Where(input => input is { Constant: null } && !IsPixel(input)).Select(input => input!)];
        return images.Length > 0 && images.All(channelsLast.Contains);
    }

    private static bool IsPixel(Value value) => value.Shape is { } shape && (shape.Rank < 4 || shape[2] == 1 && shape[3] == 1);

    /// <summary>First reduced dimension of a float mean over the last ones; else null.</summary>
    private static int? AxisOf(Node node)
    {
        if (node.Inputs[0] is not { Type: ElementType.Float32, Shape: { Rank: > 0 } shape }) return null;
        long[]? given = node.Ints("axes") ?? (node.Input(1)?.Constant is { } constant ? node.ReadInts(constant) : null);
        if (given is null or []) return null;
        int[] axes = [.. given.Select(axis => node.Axis(axis, shape.Rank)).Order()];
        return axes.SequenceEqual(Enumerable.Range(shape.Rank - axes.Length, axes.Length)) ? axes[0] : null;
    }

    private static Attributes MeanAttributes(Node node, int axis, bool isChannelsLast) =>
        new() { { "axis", (long)axis }, { "keepdims", node.Int("keepdims", 1) }, { "channels_last", isChannelsLast ? 1L : 0L } };

    private static void Replace(Graph graph, Node node, string opType, IEnumerable<Value?> inputs, Attributes attributes)
    {
        (Value?[] given, Value output, int index, string name) = ([.. inputs], node.Outputs[0], graph.IndexOf(node), node.Name);
        graph.Remove(node);
        graph.InsertNode(index, OperatorTable.FewbitDomain, opType, name, given, [output], attributes);
    }
}
