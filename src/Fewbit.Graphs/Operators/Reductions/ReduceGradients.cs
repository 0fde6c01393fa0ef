using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>The gradient rule of each reduction.</summary>
internal static class ReduceGradients
{
    public static void Apply(Reduce reduce, GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        if (reduce.Kind == Reduction.Prod)
        {
            ProductGradient.Apply(reduce, context, gradient);
            return;
        }
        Value x = context.Input(0), g = Spread(reduce, context, gradient), y = Spread(reduce, context, context.Output());
        context.SetInputGradient(0, reduce.Kind switch
        {
            Reduction.Sum => Expand(g, x),
            Reduction.Mean => Expand(g / x.CountRatio(context.Output()), x),
            Reduction.SumSquare => x * 2f * g,
            Reduction.L1 => x.Apply("Sign") * g,
            // At the zero vector, where the norm has a kink, 0.
            Reduction.L2 => x * (g / y.Apply("Equal", y.Scalar(0)).Apply("Where", y.Scalar(1), y)),
            Reduction.LogSum => Expand(g * (-y).Apply("Exp"), x),
            Reduction.LogSumExp => g * (x - y).Apply("Exp"),
            _ => Extremum(context, x, y, g),
        });
    }

    /// <summary>A value of the output's shape, so that it broadcasts to the input's: reduced dimensions come back with length 1.</summary>
    public static Value Spread(Reduce reduce, GradientContext context, Value value)
    {
        if (reduce.KeepsDims) return value;
        if (context.Node.Input(1) is { } axes) return axes.Shape is { IsKnown: true } shape && shape.ToShape().ElementCount == 0 ? value : value.Apply("Unsqueeze", axes);
        // With all dimensions reduced the value is a scalar, with none it is whole.
        return reduce.Axes is { Length: > 0 } given ? value.Apply("Unsqueeze", context.Graph.AddConstant("axes", Tensor.From<long>(given))) : value;
    }

    private static Value Expand(Value value, Value like) => value.Apply("Expand", like.Apply("Shape"));

    /// <summary>To the elements that were taken, in equal parts.</summary>
    private static Value Extremum(GradientContext context, Value x, Value y, Value gradient)
    {
        Value isTaken = x.Apply("Equal", y).Apply("CastLike", x);
        return isTaken * (gradient / isTaken.SumToShapeOf(y));
    }
}
