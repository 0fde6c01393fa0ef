using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>ONNX Det: the determinant of each square matrix.</summary>
internal sealed record Determinant : IOperator
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
