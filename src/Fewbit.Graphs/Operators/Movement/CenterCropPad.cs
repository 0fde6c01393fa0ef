using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Movement;

/// <summary>ONNX CenterCropPad, opset 18: the middle of each named dimension, or zeros around it, so that it gets the given length.</summary>
internal sealed record CenterCropPad(long[]? Axes) : IDifferentiable
{
    public static CenterCropPad Parse(Node node) => new(node.Ints("axes"));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        SymbolicShape? shape = context.InputShape(0);
        if (shape is not null)
        {
            int[] axes = AxesOf(context.Node, shape.Rank);
            Dim[]? lengths = context.InputDims(1);
            context.Node.Expect(lengths is null || lengths.Length == axes.Length, $"has {lengths?.Length} lengths for {axes.Length} axes");
            for (int i = 0; i < axes.Length; i++) shape = shape.With(axes[i], lengths?[i] ?? Dim.Unknown);
        }
        context.SetOutput(0, context.InputType(0), shape);
    }

    public unsafe void Evaluate(EvaluationContext context)
    {
        if (Converted.Unpacked(context, this)) return;
        (Tensor input, Tensor output) = (context.Input(0), context.Output(0));
        output.Bytes.Clear();
        int width = input.Type.BitWidth() / 8;
        byte* from = input.Address, to = output.Address;
        var copy = new CopyAxis[input.Rank];
        long stepFrom = 1, stepTo = 1;
        for (int axis = input.Rank - 1; axis >= 0; axis--)
        {
            long had = input.Shape[axis], has = output.Shape[axis];
            copy[axis] = new(Math.Min(had, has), stepFrom, stepTo);
            if (had > has) from += (had - has) / 2 * stepFrom * width;
            else to += (has - had) / 2 * stepTo * width;
            stepFrom *= had;
            stepTo *= has;
        }
        StridedCopy.Run(context.Node, input.Type, from, to, copy);
        GC.KeepAlive(context);
    }

    /// <summary>Crops where this pads and the other way round: both round the odd element to the same side.</summary>
    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, gradient.Apply("CenterCropPad", context.Input(0).Apply("Shape")));
    }

    private int[] AxesOf(Node node, int rank) => Axes is null ? [.. Enumerable.Range(0, rank)] : Array.ConvertAll(Axes, axis => node.Axis(axis, rank, "an axis"));
}
