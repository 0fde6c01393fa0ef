using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Movement;

/// <summary>ONNX Expand, opset 13: the input broadcast against a shape; a length of 1 in the shape keeps the input's.</summary>
internal sealed record Expand : IDifferentiable
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        SymbolicShape? shape = null;
        SymbolicShape? wanted = context.InputDims(1) is { } dims ? new SymbolicShape(dims)
            : context.InputShape(1) is { Rank: 1, IsKnown: true } length ? SymbolicShape.OfRank((int)length[0].Length) : null;
        if (wanted is not null && context.InputShape(0) is { } input)
        {
            shape = SymbolicShape.Broadcast(input, wanted);
            context.Node.Expect(shape is not null, $"cannot expand {input} to {wanted}");
        }
        context.SetOutput(0, context.InputType(0), shape);
    }

    public unsafe void Evaluate(EvaluationContext context)
    {
        if (Converted.Unpacked(context, this)) return;
        (Tensor input, Tensor output) = (context.Input(0), context.Output(0));
        Span<CopyAxis> axes = stackalloc CopyAxis[output.Rank];
        long from = 1, to = 1;
        for (int i = 1; i <= axes.Length; i++)
        {
            long length = output.Shape[output.Rank - i], own = i <= input.Rank ? input.Shape[input.Rank - i] : 1;
            axes[^i] = new(length, own == 1 ? 0 : from, to);
            from *= own;
            to *= length;
        }
        StridedCopy.Run(context.Node, input.Type, input.Address, output.Address, axes);
        GC.KeepAlive(context);
    }

    public void Gradient(GradientContext context)
    {
        if (context.Needs(0) && context.OutputGradient() is { } gradient) context.SetInputGradient(0, gradient.SumToShapeOf(context.Input(0)));
    }
}
