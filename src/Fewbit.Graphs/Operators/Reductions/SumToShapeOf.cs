using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>Sums input 0 over the dimensions in which input 1 was broadcast to it: the gradient of broadcasting.</summary>
internal sealed record SumToShapeOf : IDifferentiable
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        context.SetOutput(0, context.InputType(0), context.InputShape(1));
    }

    public unsafe void Evaluate(EvaluationContext context)
    {
        (Tensor input, Tensor output) = (context.Input(0), context.Output(0));
        if (input.ElementCount == output.ElementCount) input.Reshape(output.Shape).CopyTo(output);
        else if (input.Type == ElementType.Float32 && AreColumns(input.Shape, output.Shape))
        {
            int columns = (int)output.ElementCount;
            long rows = input.ElementCount / columns;
            ColumnSums.Run((float*)input.Address, rows, columns, (float*)output.Address, (float*)context.Scratch((long)ColumnSums.ChunksOf(rows, columns) * columns * sizeof(float)));
            GC.KeepAlive(context);
        }
        else if (input.Type == ElementType.Float32) Reducing.Run<float, double, FloatSum<SumFormula>>(context, input, output, SummedAxes(input.Shape, output.Shape));
        else if (input.Type == ElementType.Float64) Reducing.Run<double, double, DoubleSum<SumFormula>>(context, input, output, SummedAxes(input.Shape, output.Shape));
        else throw context.Node.Fail($"does not take {input.Type.Name()} elements");
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, gradient.Apply("Expand", context.Input(0).Apply("Shape")));
    }

    /// <summary>Whether only first dimensions are summed, over rows that are not too short.</summary>
    private static bool AreColumns(Shape input, Shape output)
    {
        const int ShortestRow = 16;
        if (output.ElementCount is < ShortestRow or > int.MaxValue || input.ElementCount == 0) return false;
        int kept = 0;
        while (kept < output.Rank && output[output.Rank - 1 - kept] == input[input.Rank - 1 - kept]) kept++;
        return input.CountOf(input.Rank - kept, input.Rank) == output.ElementCount;
    }

    private static ulong SummedAxes(Shape input, Shape output)
    {
        ulong axes = 0;
        for (int i = 1; i <= input.Rank; i++)
        {
            if (i > output.Rank || output[output.Rank - i] == 1) axes |= 1UL << (input.Rank - i);
        }
        return axes;
    }
}
