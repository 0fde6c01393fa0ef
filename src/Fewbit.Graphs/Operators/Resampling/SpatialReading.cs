using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>What is read of one dimension at each point: an element's index [N, P], int64 and inside, and its weight [N, P].</summary>
internal readonly record struct ReadingTap(Value Index, Value Weight);

/// <summary>Reads images between their elements, as nodes that can be differentiated twice: the formula behind the gradients of GridSample and DeformConv.</summary>
internal static class SpatialReading
{
    /// <summary>Weighted sums of elements: x [N, C, spatial] as [N, C, P].</summary>
    /// <param name="x">The images.</param>
    /// <param name="lengths">Lengths of the spatial dimensions.</param>
    /// <param name="taps">What is read of each spatial dimension; every combination is.</param>
    public static Value Read(Value x, ReadOnlySpan<int> lengths, ReadingTap[][] taps)
    {
        Value flat = x.To(0, 0, -1);
        var combined = taps[0];
        for (int d = 1; d < taps.Length; d++)
        {
            Value length = x.Graph.AddConstant("length", Tensor.Scalar((long)lengths[d]));
            combined = [.. combined.SelectMany(_ => taps[d], (before, own) => new ReadingTap(before.Index * length + own.Index, before.Weight * own.Weight))];
        }
        Value? sum = null;
        foreach (ReadingTap tap in combined)
        {
            Value shape = flat.Lengths(0, 2).Concat(0, tap.Index.Lengths(1, 2)), index = OfChannels(tap.Index).Apply("Expand", shape);
            Value term = flat.Apply("GatherElements", new Attributes { { "axis", 2 } }, index) * OfChannels(tap.Weight);
            sum = sum is null ? term : sum + term;
        }
        return sum!;
    }

    /// <summary>The two elements around each position, zeros outside of the image.</summary>
    public static ReadingTap[] Linear(Value position, int length)
    {
        Value low = position.Apply("Floor"), share = position - low;
        return [Inside(low, 1f - share, length), Inside(low + 1f, share, length)];
    }

    /// <summary>A tap at whole positions, weight 0 where they lie outside.</summary>
    public static ReadingTap Inside(Value position, Value weight, int length)
    {
        Value isInside = position.Apply("GreaterOrEqual", position.Scalar(0)).Apply("And", position.Apply("LessOrEqual", position.Scalar(length - 1)));
        return new(Index(position, length), isInside.Apply("Where", weight, weight.Scalar(0)));
    }

    /// <summary>Whole positions as indices, the nearest element where they lie outside.</summary>
    public static Value Index(Value position, int length) =>
        position.Apply("Clip", position.Scalar(0), position.Scalar(length - 1)).Apply("Cast", new Attributes { { "to", (long)ElementType.Int64 } });

    /// <summary>[N, P] as [N, 1, P].</summary>
    private static Value OfChannels(Value value) => value.Apply("Unsqueeze", value.Integers("axes", 1));
}
