using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>A product of matrices of integer codes, stacked and broadcast as in NumPy's matmul, by its definition.</summary>
/// <param name="Output">Shape of the product.</param>
/// <param name="Rows">Rows of one matrix of the product.</param>
/// <param name="Columns">Columns of one matrix of the product.</param>
/// <param name="Inner">Length of the sums.</param>
/// <param name="A">Stack of the left matrices.</param>
/// <param name="B">Stack of the right matrices.</param>
internal sealed record IntegerMatrixProduct(Shape Output, int Rows, int Columns, int Inner, Shape A, Shape B)
{
    /// <summary>The stack of products.</summary>
    public Shape Stack => new(Output.Dims[..Math.Max(A.Rank, B.Rank)]);

    public static IntegerMatrixProduct Of(Node node, Shape a, Shape b)
    {
        Shape left = a.Rank == 1 ? [1, a[0]] : a, right = b.Rank == 1 ? [b[0], 1] : b;
        node.Expect(left.Rank >= 2 && right.Rank >= 2 && left[left.Rank - 1] == right[right.Rank - 2], $"matrices of shape {a} and {b} do not multiply");
        Shape stackA = new(left.Dims[..^2]), stackB = new(right.Dims[..^2]);
        Shape? stack = Shape.Broadcast(stackA, stackB);
        node.Expect(stack is not null, $"stacks of matrices of shape {a} and {b} do not broadcast");
        (long rows, long columns, long inner) = (left[left.Rank - 2], right[right.Rank - 1], left[left.Rank - 1]);
        List<long> dims = [.. stack!.Value];
        if (a.Rank > 1) dims.Add(rows);
        if (b.Rank > 1) dims.Add(columns);
        return new(new([.. dims]), checked((int)rows), checked((int)columns), checked((int)inner), stackA, stackB);
    }

    public static SymbolicShape? InferShape(InferenceContext context, int aIndex, int bIndex)
    {
        if (context.InputShape(aIndex) is not { } a || context.InputShape(bIndex) is not { } b) return null;
        if (a.IsKnown && b.IsKnown) return SymbolicShape.From(Of(context.Node, a.ToShape(), b.ToShape()).Output);
        if (a.Rank < 2 || b.Rank < 2) return null;
        context.Node.Expect(a[a.Rank - 1].MayEqual(b[b.Rank - 2]), $"matrices of shape {a} and {b} do not multiply");
        SymbolicShape? stack = SymbolicShape.Broadcast(new(a.Dims[..^2]), new(b.Dims[..^2]));
        context.Node.Expect(stack is not null, $"stacks of matrices of shape {a} and {b} do not broadcast");
        return new([.. stack!.Dims, a[a.Rank - 2], b[b.Rank - 1]]);
    }

    /// <summary>Multiplies matrix by matrix. Zero points: of A one; of B one, or one per column.</summary>
    /// <param name="a">Codes of A.</param>
    /// <param name="aZeroPoint">Zero point of A.</param>
    /// <param name="b">Codes of B.</param>
    /// <param name="bZeroPoints">Zero points of B.</param>
    /// <param name="write">Takes the sums of one matrix and the place of its first element in the product.</param>
    public void Run(int[] a, int aZeroPoint, int[] b, int[] bZeroPoints, Action<int[], int> write)
    {
        Shape stack = Stack;
        var walk = new BroadcastWalk(stack, A, B);
        var sums = new int[Rows * Columns];
        for (int matrix = 0; matrix < stack.ElementCount; matrix++)
        {
            Array.Clear(sums);
            Multiply(a.AsSpan((int)walk.A * Rows * Inner), aZeroPoint, b.AsSpan((int)walk.B * Inner * Columns), bZeroPoints, sums);
            write(sums, matrix * sums.Length);
            walk.Next();
        }
    }

    private void Multiply(ReadOnlySpan<int> a, int aZeroPoint, ReadOnlySpan<int> b, int[] bZeroPoints, Span<int> sums)
    {
        for (int row = 0; row < Rows; row++)
        {
            Span<int> target = sums.Slice(row * Columns, Columns);
            for (int k = 0; k < Inner; k++)
            {
                int left = a[row * Inner + k] - aZeroPoint;
                ReadOnlySpan<int> right = b.Slice(k * Columns, Columns);
                for (int column = 0; column < target.Length; column++) target[column] += left * (right[column] - bZeroPoints[bZeroPoints.Length == 1 ? 0 : column]);
            }
        }
    }
}
