using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>ONNX Det: the determinant of each square matrix.</summary>
internal sealed record Determinant : IDifferentiable
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        SymbolicShape? shape = context.InputShape(0);
        context.Node.Expect(shape is null || (shape.Rank >= 2 && shape[shape.Rank - 1].MayEqual(shape[shape.Rank - 2])), $"takes square matrices, but is given {context.Node.Input(0)}");
        context.SetOutput(0, context.InputType(0), shape is null ? null : new(shape.Dims[..^2]));
    }

    public void Evaluate(EvaluationContext context)
    {
        Tensor results = Tensor.AllocateUninitialized(ElementType.Float64, context.Output(0).Shape);
        Span<double> x = Casting.Convert(context.Input(0), ElementType.Float64).Copy().Span<double>(), y = results.Span<double>();
        int size = (int)context.Input(0).Shape[context.Input(0).Rank - 1];
        for (int i = 0; i < y.Length; i++) y[i] = Of(x.Slice(i * size * size, size * size), size);
        Casting.Convert(results, context.Output(0));
    }

    /// <summary>Each element's cofactor: its sign times the determinant of what is left without its row and column. Singular matrices have them too.</summary>
    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        Value x = context.Input(0);
        int rank = context.Node.KnownRank(x), size = context.Node.KnownLength(x, -1);
        if (size == 1)
        {
            context.SetInputGradient(0, gradient.Apply("Unsqueeze", x.Integers("axes", -2, -1)));
            return;
        }
        Value rows = x.Apply("Gather", new Attributes { { "axis", -2 } }, Without(x, size)), minors = rows.Apply("Gather", new Attributes { { "axis", -1 } }, Without(x, size));
        // [..., row, rows left, column, columns left]
        long[] order = [.. Enumerable.Range(0, rank - 2).Select(axis => (long)axis), rank - 2, rank, rank - 1, rank + 1];
        Value cofactors = minors.Transpose(order).Apply("Det") * Signs(x, size);
        context.SetInputGradient(0, cofactors * gradient.Apply("Unsqueeze", x.Integers("axes", -2, -1)));
    }

    /// <summary>[size, size - 1]: for each index all others.</summary>
    private static Value Without(Value x, int size)
    {
        long[] others = [.. Enumerable.Range(0, size).SelectMany(left => Enumerable.Range(0, size).Where(index => index != left)).Select(index => (long)index)];
        return x.Graph.AddConstant("others", Tensor.From<long>(others, [size, size - 1]));
    }

    private static Value Signs(Value x, int size)
    {
        float[] signs = [.. Enumerable.Range(0, size * size).Select(i => (i / size + i % size) % 2 == 0 ? 1f : -1f)];
        return x.Numbers("signs", [size, size], signs);
    }

    /// <summary>Gaussian elimination with the largest pivot of each column; the matrix is used up.</summary>
    private static double Of(Span<double> matrix, int size)
    {
        double result = 1;
        for (int column = 0; column < size; column++)
        {
            int pivot = column;
            for (int row = column + 1; row < size; row++)
            {
                if (Math.Abs(matrix[row * size + column]) > Math.Abs(matrix[pivot * size + column])) pivot = row;
            }
            if (pivot != column)
            {
                for (int k = 0; k < size; k++) (matrix[pivot * size + k], matrix[column * size + k]) = (matrix[column * size + k], matrix[pivot * size + k]);
                result = -result;
            }
            double head = matrix[column * size + column];
            result *= head;
            if (head == 0) return 0;
            for (int row = column + 1; row < size; row++)
            {
                double factor = matrix[row * size + column] / head;
                for (int k = column; k < size; k++) matrix[row * size + k] -= factor * matrix[column * size + k];
            }
        }
        return result;
    }
}
