using Fewbit.Graphs.Operators.Reductions;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Movement;

/// <summary>ONNX Tile, opset 13: the input repeated along each dimension.</summary>
internal sealed record Tile : IDifferentiable
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        SymbolicShape? shape = null;
        if (context.InputShape(0) is { } input)
        {
            foreach (long repeats in context.InputInts(1) ?? []) context.Node.Expect(repeats >= 0, $"repeats a dimension {repeats} times, expected 0 or more");
            shape = SymbolicShape.OfRank(input.Rank);
            if (context.InputDims(1) is { } dims)
            {
                context.Node.Expect(dims.Length == input.Rank, $"has {dims.Length} repeats for an input of shape {input}");
                for (int axis = 0; axis < dims.Length; axis++) shape = shape.With(axis, input[axis] * dims[axis]);
            }
        }
        context.SetOutput(0, context.InputType(0), shape);
    }

    public unsafe void Evaluate(EvaluationContext context)
    {
        if (Converted.Unpacked(context, this)) return;
        (Tensor input, Tensor output) = (context.Input(0), context.Output(0));
        Span<CopyAxis> axes = stackalloc CopyAxis[2 * input.Rank];
        long from = 1, to = 1;
        for (int axis = input.Rank - 1; axis >= 0; axis--)
        {
            long length = input.Shape[axis], repeats = length == 0 ? 0 : output.Shape[axis] / length;
            axes[2 * axis + 1] = new(length, from, to);
            axes[2 * axis] = new(repeats, 0, to * length);
            from *= length;
            to *= output.Shape[axis];
        }
        StridedCopy.Run(context.Node, input.Type, input.Address, output.Address, axes);
        GC.KeepAlive(context);
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, gradient.Apply(OperatorTable.FewbitDomain, "TileGradient", null, context.Input(0), context.Input(1)));
    }
}

/// <summary>Gradient of Tile: the sum over all copies of each element of a tensor like input 1; input 2 is the repeats.</summary>
internal sealed record TileGradient : IDifferentiable
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, 3);
        context.SetOutput(0, context.InputType(0), context.InputShape(1));
    }

    public void Evaluate(EvaluationContext context)
    {
        (Tensor input, Tensor output) = (context.Input(0), context.Output(0));
        var split = new long[2 * output.Rank];
        ulong repeated = 0;
        for (int axis = 0; axis < output.Rank; axis++)
        {
            (split[2 * axis], split[2 * axis + 1]) = (output.Shape[axis] == 0 ? 0 : input.Shape[axis] / output.Shape[axis], output.Shape[axis]);
            repeated |= 1UL << (2 * axis);
        }
        Tensor view = input.Reshape(new(split));
        if (input.Type == ElementType.Float32) Reducing.Run<float, double, FloatSum<SumFormula>>(context, view, output, repeated);
        else if (input.Type == ElementType.Float64) Reducing.Run<double, double, DoubleSum<SumFormula>>(context, view, output, repeated);
        else throw context.Node.Fail($"does not take {input.Type.Name()} elements");
    }

    public void Gradient(GradientContext context)
    {
        if (context.Needs(0) && context.OutputGradient() is { } gradient) context.SetInputGradient(0, gradient.Apply("Tile", context.Input(2)));
    }
}
