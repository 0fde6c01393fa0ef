namespace Fewbit.Graphs.Operators.Movement;

/// <summary>What operators share whose output is the input under another shape.</summary>
internal static class ShapeViews
{
    public static void Copy(EvaluationContext context) => context.Input(0).Reshape(context.Output(0).Shape).CopyTo(context.Output(0));

    /// <summary>The gradient under the shape of the input.</summary>
    public static void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, gradient.Apply("Reshape", context.Input(0).Apply("Shape")));
    }

    /// <summary>Axes from the input <paramref name="index"/>, counted from the front; null where they are not known.</summary>
    public static int[]? ReadAxes(this InferenceContext context, int index, int rank)
    {
        if (context.InputInts(index) is not { } axes) return null;
        Node node = context.Node;
        int[] result = Array.ConvertAll(axes, axis => node.Axis(axis, rank, "an axis"));
        node.Expect(result.Distinct().Count() == result.Length, $"names an axis twice: [{string.Join(", ", axes)}]");
        return result;
    }
}

/// <summary>ONNX Squeeze, opset 13: without the named dimensions of length 1, or without all of them.</summary>
internal sealed record Squeeze : IViewOperator, IDifferentiable
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 2);
        SymbolicShape? shape = null;
        if (context.InputShape(0) is { } input)
        {
            if (context.HasInput(1)) shape = context.ReadAxes(1, input.Rank) is { } axes ? Without(context.Node, input, axes) : null;
            else if (input.IsKnown) shape = new([.. input.Where(dim => dim != 1)]);
        }
        context.SetOutput(0, context.InputType(0), shape);
        if (shape is { Rank: <= 1 } && context.InputDims(0) is { } elements) context.SetOutputDims(0, elements);
    }

    public void Evaluate(EvaluationContext context) => ShapeViews.Copy(context);

    public void Gradient(GradientContext context) => ShapeViews.Gradient(context);

    private static SymbolicShape Without(Node node, SymbolicShape input, int[] axes)
    {
        foreach (int axis in axes) node.Expect(input[axis].MayEqual(1), $"removes dimension {axis} of {input}, expected length 1");
        return new([.. Enumerable.Range(0, input.Rank).Where(axis => !axes.Contains(axis)).Select(axis => input[axis])]);
    }
}

/// <summary>ONNX Unsqueeze, opset 13: with dimensions of length 1 at the named places of the output.</summary>
internal sealed record Unsqueeze : IViewOperator, IDifferentiable
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        SymbolicShape? shape = null;
        if (context.InputShape(0) is { } input)
        {
            int added = context.InputInts(1)?.Length ?? (context.InputShape(1) is { IsKnown: true } length ? (int)length.ToShape().ElementCount : -1);
            if (added >= 0) shape = context.ReadAxes(1, input.Rank + added) is { } axes ? With(input, axes) : SymbolicShape.OfRank(input.Rank + added);
        }
        context.SetOutput(0, context.InputType(0), shape);
        if (shape is { Rank: <= 1 } && context.InputDims(0) is { } elements) context.SetOutputDims(0, elements);
    }

    public void Evaluate(EvaluationContext context) => ShapeViews.Copy(context);

    public void Gradient(GradientContext context) => ShapeViews.Gradient(context);

    private static SymbolicShape With(SymbolicShape input, int[] axes)
    {
        var dims = new Dim[input.Rank + axes.Length];
        for (int axis = 0, from = 0; axis < dims.Length; axis++) dims[axis] = axes.Contains(axis) ? 1 : input[from++];
        return new(dims);
    }
}

/// <summary>ONNX Flatten, opset 13: two dimensions, those before the axis and those from it on.</summary>
/// <param name="Axis">0 to the rank; negative counts from the back.</param>
internal sealed record Flatten(long Axis) : IViewOperator, IDifferentiable
{
    public static Flatten Parse(Node node) => new(node.Int("axis", 1));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        SymbolicShape shape = SymbolicShape.OfRank(2);
        if (context.InputShape(0) is { } input)
        {
            context.Node.Expect(Axis >= -input.Rank && Axis <= input.Rank, $"axis is {Axis}, expected a value in [{-input.Rank}, {input.Rank}]");
            int axis = (int)(Axis < 0 ? Axis + input.Rank : Axis);
            shape = [Product(input.Dims[..axis]), Product(input.Dims[axis..])];
        }
        context.SetOutput(0, context.InputType(0), shape);
    }

    public void Evaluate(EvaluationContext context) => ShapeViews.Copy(context);

    public void Gradient(GradientContext context) => ShapeViews.Gradient(context);

    private static Dim Product(ReadOnlySpan<Dim> dims)
    {
        Dim product = 1;
        foreach (Dim dim in dims) product *= dim;
        return product;
    }
}
