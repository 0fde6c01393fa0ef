using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>Formulas that several gradient rules share.</summary>
internal static class GradientFormulas
{
    /// <summary>Elements of <paramref name="whole"/> for each element of <paramref name="part"/>, as a scalar of their type: a number where the lengths are known, nodes otherwise.</summary>
    public static Value CountRatio(this Value whole, Value part)
    {
        if (KnownRatio(whole, part) is { } ratio) return whole.Scalar(ratio);
        var to = new Attributes { { "to", (long)whole.Type } };
        return whole.Apply("Size").Apply("Cast", to) / part.Apply("Size").Apply("Cast", to);
    }

    /// <summary>The mean over the dimensions in which <paramref name="like"/> would be broadcast to this value's shape.</summary>
    public static Value MeanToShapeOf(this Value value, Value like) => value.SumToShapeOf(like) / value.CountRatio(like);

    /// <summary>A vector of channels as a shape that broadcasts to [N, C, spatial].</summary>
    public static Value AsChannels(this Value vector, int rank) =>
        rank <= 2 ? vector : vector.Apply("Reshape", vector.Graph.AddConstant("shape", Tensor.From<long>([-1, .. Enumerable.Repeat(1L, rank - 2)])));

    /// <summary>The quotient of the element counts; dimensions of equal symbols cancel.</summary>
    private static double? KnownRatio(Value whole, Value part)
    {
        if (whole.Shape is not { } a || part.Shape is not { } b) return null;
        double ratio = 1;
        for (int i = 1; i <= a.Rank; i++)
        {
            Dim x = a[a.Rank - i], y = i <= b.Rank ? b[b.Rank - i] : 1;
            if (x.IsKnown && y.IsKnown) ratio *= (double)x.Length / y.Length;
            else if (x == Dim.Unknown || x != y) return null;
        }
        return ratio;
    }
}
