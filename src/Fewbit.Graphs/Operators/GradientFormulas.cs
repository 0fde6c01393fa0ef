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

    /// <summary>Every element the number, in the shape and type of <paramref name="like"/>.</summary>
    public static Value Filled(this Value like, double number)
    {
        Value scalar = like.Scalar(number);
        return like.Shape is { Rank: 0 } ? scalar : scalar.Apply("Expand", like.Apply("Shape"));
    }

    /// <summary>A constant vector of integers beside this value.</summary>
    public static Value Integers(this Value value, string name, params ReadOnlySpan<long> numbers) => value.Graph.AddConstant(name, Tensor.From<long>([.. numbers]));

    /// <summary>A constant of this value's float type beside it.</summary>
    public static Value Numbers(this Value like, string name, Shape shape, ReadOnlySpan<float> numbers)
    {
        Tensor tensor = Tensor.From<float>(numbers, shape);
        return like.Graph.AddConstant(name, like.Type == ElementType.Float64 ? Casting.Convert(tensor, ElementType.Float64) : tensor);
    }

    /// <summary>Reshape to constant lengths.</summary>
    public static Value To(this Value value, params ReadOnlySpan<long> lengths) => value.Apply("Reshape", value.Integers("shape", lengths));

    /// <summary>The value in the shape of another.</summary>
    public static Value ToShapeOf(this Value value, Value like) => value.Apply("Reshape", like.Apply("Shape"));

    /// <summary>The lengths from dimension <paramref name="start"/> up to, without, <paramref name="end"/>.</summary>
    public static Value Lengths(this Value value, int start, int end) => value.Apply("Shape", new Attributes { { "start", start }, { "end", end } });

    /// <summary>Rank of an input, which a rule needs.</summary>
    public static int KnownRank(this Node node, Value value) => value.Shape?.Rank ?? throw node.Fail($"its gradient rule needs the rank of {value}, which is not known");

    /// <summary>Length of a dimension of an input, which a rule needs.</summary>
    public static int KnownLength(this Node node, Value value, int axis) =>
        node.KnownRank(value) is var rank && value.Shape![axis < 0 ? axis + rank : axis] is { IsKnown: true } dim ? checked((int)dim.Length) : throw node.Fail($"its gradient rule needs dimension {axis} of {value}, which is not known");

    /// <summary>Numbers of an integer input, which a rule needs before a run.</summary>
    public static long[] KnownInts(this Node node, int index) =>
        node.Input(index) is { Constant: { } constant } ? node.ReadInts(constant) : throw node.Fail($"its gradient rule needs input {index} as a constant, but it is {node.Input(index)}");

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
