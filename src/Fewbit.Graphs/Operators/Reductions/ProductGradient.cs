namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>Gradient of ReduceProd: the product of the other elements, found from both sides, so that zeros need no quotient.</summary>
internal static class ProductGradient
{
    public static void Apply(Reduce reduce, GradientContext context, Value gradient)
    {
        Value x = context.Input(0);
        int[] axes = Axes(reduce, context.Node, context.Node.KnownRank(x));
        if (axes.Length == 0) context.SetInputGradient(0, gradient);
        else if (axes.Length == 1) context.SetInputGradient(0, ReduceGradients.Spread(reduce, context, gradient) * OthersAlong(x, axes[0]));
        else CompositeGradient.Apply(context, inputs => [OneByOne(inputs[0]!, axes, reduce.KeepsDims)]);
    }

    private static Value OthersAlong(Value x, int axis)
    {
        Value Products(bool isReverse) => x.Apply("CumProd", new Attributes { { "exclusive", 1 }, { "reverse", isReverse } }, x.Graph.AddConstant("axis", Tensors.Tensor.Scalar((long)axis)));
        return Products(isReverse: false) * Products(isReverse: true);
    }

    private static Value OneByOne(Value x, int[] axes, bool keepsDims)
    {
        foreach (int axis in axes) x = x.Apply("ReduceProd", new Attributes { { "keepdims", 1 } }, x.Integers("axes", axis));
        return keepsDims ? x : x.Apply("Squeeze", x.Integers("axes", [.. axes.Select(axis => (long)axis)]));
    }

    private static int[] Axes(Reduce reduce, Node node, int rank)
    {
        long[] given = node.Input(1) is null ? reduce.Axes ?? [] : node.KnownInts(1);
        if (given.Length == 0) return reduce.IsNoOpWithoutAxes ? [] : [.. Enumerable.Range(0, rank)];
        return [.. given.Select(axis => node.Axis(axis, rank)).Distinct().Order()];
    }
}
