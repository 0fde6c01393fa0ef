using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>Nodes that compute the gradients of a convolution. Each of the three is linear in its two tensors, and their gradients are one another.</summary>
internal static class ConvGradients
{
    /// <summary>Gradient of x, of x's shape.</summary>
    public static Value Data(Node conv, Value outputGradient, Value w, Value x) =>
        outputGradient.Apply(OperatorTable.FewbitDomain, "ConvBackwardData", Geometry(conv), w, x.Apply("Shape"));

    /// <summary>Gradient of w, of w's shape.</summary>
    public static Value Weights(Node conv, Value x, Value outputGradient, Value w) =>
        x.Apply(OperatorTable.FewbitDomain, "ConvBackwardWeights", Geometry(conv), outputGradient, w.Apply("Shape"));

    /// <summary>The convolution of another image with other weights under the geometry of <paramref name="conv"/>.</summary>
    public static Value Forward(Node conv, Value x, Value w) => x.Apply("Conv", Geometry(conv), w);

    /// <summary>Gradient of the bias: the output gradient summed over all but the channels.</summary>
    public static Value Bias(Value outputGradient, Value bias)
    {
        int spatialRank = (outputGradient.Shape ?? throw outputGradient.Producer!.Fail("has an output of unknown rank, which a bias's gradient needs")).Rank - 2;
        long[] channelShape = [-1, .. Enumerable.Repeat(1L, spatialRank)];
        Graph graph = bias.Graph;
        Value broadcast = bias.Apply("Reshape", graph.AddConstant("shape", Tensor.From<long>(channelShape)));
        return outputGradient.SumToShapeOf(broadcast).Apply("Reshape", graph.AddConstant("shape", Tensor.From(-1L)));
    }

    public static Attributes Geometry(Node conv)
    {
        var attributes = new Attributes();
        foreach (string name in (string[])["auto_pad", "dilations", "group", "pads", "strides"])
        {
            if (conv.Attributes.Find(name) is { } value) attributes.Add(name, value);
        }
        return attributes;
    }
}
