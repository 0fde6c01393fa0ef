namespace Fewbit.Graphs.Operators.Movement;

/// <summary>ONNX Reshape, opset 14: the same elements under other lengths; one length may be -1 (what remains), 0 copies the input's.</summary>
/// <param name="AllowsZero">True: 0 is a length of 0, not a copy.</param>
internal sealed record Reshape(bool AllowsZero) : IViewOperator, IDifferentiable
{
    public static Reshape Parse(Node node) => new(node.Int("allowzero", 0) != 0);

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        SymbolicShape? shape = context.InputInts(1) is { } wanted ? Resolve(context.Node, wanted, context.InputShape(0))
            : context.InputDims(1) is { } dims ? Resolve(dims, context.InputShape(0))
            : context.InputShape(1) is { Rank: 1, IsKnown: true } length ? SymbolicShape.OfRank((int)length[0].Length) : null;
        context.SetOutput(0, context.InputType(0), shape);
        if (shape is { Rank: <= 1 } && context.InputDims(0) is { } elements) context.SetOutputDims(0, elements);
    }

    public void Evaluate(EvaluationContext context) => ShapeViews.Copy(context);

    public void Gradient(GradientContext context) => ShapeViews.Gradient(context);

    private SymbolicShape Resolve(Node node, long[] wanted, SymbolicShape? input)
    {
        var dims = new Dim[wanted.Length];
        int open = -1;
        for (int i = 0; i < dims.Length; i++)
        {
            node.Expect(wanted[i] >= -1, $"wants shape [{string.Join(", ", wanted)}], expected lengths of -1 or more");
            if (wanted[i] == -1)
            {
                node.Expect(open < 0, $"wants shape [{string.Join(", ", wanted)}], expected at most one -1");
                open = i;
            }
            else if (wanted[i] == 0 && !AllowsZero)
            {
                node.Expect(input is null || i < input.Rank, $"copies dimension {i} of an input of shape {input}");
                dims[i] = input is null ? Dim.Unknown : input[i];
            }
            else
            {
                dims[i] = wanted[i];
            }
        }
        if (open >= 0 && input is not null) dims[open] = Remaining(node, dims, open, input);
        var shape = new SymbolicShape(dims);
        if (input is { IsKnown: true } && shape.IsKnown)
        {
            node.Expect(Count(input) == Count(shape), $"cannot give {input} the shape {shape} (wanted [{string.Join(", ", wanted)}]): the number of elements differs");
        }
        return shape;
    }

    /// <summary>A shape computed from symbols. An unknown element may stand for -1, so it is resolved only when it is the one unknown.</summary>
    private static SymbolicShape Resolve(Dim[] dims, SymbolicShape? input)
    {
        int open = Array.FindIndex(dims, dim => dim == Dim.Unknown);
        if (open < 0 || input is null || Array.FindLastIndex(dims, dim => dim == Dim.Unknown) != open) return new(dims);
        var result = (Dim[])dims.Clone();
        result[open] = Quotient(input, dims, open) ?? Dim.Unknown;
        return new(result);
    }

    private static Dim Remaining(Node node, Dim[] dims, int open, SymbolicShape input)
    {
        if (Quotient(input, dims, open) is not { } remaining) return Dim.Unknown;
        node.Expect(remaining.IsKnown || remaining.Symbol is not null, $"cannot split {input} evenly into {new SymbolicShape(dims)}");
        return remaining;
    }

    /// <summary>What is left for one dimension after factors common to both sides are cancelled; null where that is not known, unknown where it does not divide.</summary>
    private static Dim? Quotient(SymbolicShape input, Dim[] dims, int open)
    {
        var left = input.ToList();
        Dim wanted = 1;
        for (int i = 0; i < dims.Length; i++)
        {
            // A length on both sides cancels, whatever it is.
            if (i != open && !left.Remove(dims[i])) wanted *= dims[i];
        }
        Dim total = left.Aggregate((Dim)1, (product, dim) => product * dim);
        if (wanted == 0) return total == 0 ? 0 : Dim.Unknown;
        Dim quotient = total / wanted;
        if (quotient == Dim.Unknown && !(total.IsKnown && wanted.IsKnown)) return null;
        return quotient;
    }

    private static long Count(SymbolicShape shape) => shape.ToShape().ElementCount;
}
