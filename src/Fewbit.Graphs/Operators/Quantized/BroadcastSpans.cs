using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>A broadcast of two operands as runs of elements in which either both advance or one of them is repeated.</summary>
/// <param name="Length">Elements of a run.</param>
/// <param name="RepeatsA">One element of the left operand serves a whole run.</param>
/// <param name="RepeatsB">One element of the right operand serves a whole run.</param>
/// <param name="Outer">Shape over which runs follow each other.</param>
/// <param name="OuterA">The left operand's shape beside it.</param>
/// <param name="OuterB">The right operand's shape beside it.</param>
internal readonly record struct BroadcastSpans(long Length, bool RepeatsA, bool RepeatsB, Shape Outer, Shape OuterA, Shape OuterB)
{
    /// <summary>Elements between the places of two runs in the left operand.</summary>
    public long StepA => RepeatsA ? 1 : Length;

    /// <summary>Elements between the places of two runs in the right operand.</summary>
    public long StepB => RepeatsB ? 1 : Length;

    /// <summary>Runs as long as the last dimensions allow.</summary>
    public static BroadcastSpans Of(Shape result, Shape a, Shape b)
    {
        (bool A, bool B)? kind = null;
        long length = 1;
        int back = 1;
        for (; back <= result.Rank; back++)
        {
            long dim = result[result.Rank - back];
            if (dim == 1) continue;
            (bool A, bool B) repeats = (Dim(a, back) == 1, Dim(b, back) == 1);
            if (kind is not null && kind != repeats) break;
            kind = repeats;
            length *= dim;
        }
        (bool repeatsA, bool repeatsB) = kind ?? (false, false);
        return new(length, repeatsA, repeatsB, Drop(result, back - 1), Drop(a, back - 1), Drop(b, back - 1));
    }

    private static long Dim(Shape shape, int back) => back > shape.Rank ? 1 : shape[shape.Rank - back];

    private static Shape Drop(Shape shape, int count) => count >= shape.Rank ? Shape.Scalar : new(shape.Dims[..^count]);
}
