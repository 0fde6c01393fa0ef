using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Movement;

/// <summary>ONNX Transpose: dimension i of the output is dimension perm[i] of the input; reversed where perm is left out.</summary>
internal sealed record Transpose(long[]? Permutation) : IDifferentiable
{
    public static Transpose Parse(Node node)
    {
        long[]? permutation = node.Ints("perm");
        if (permutation is not null)
        {
            node.Expect(permutation.Order().SequenceEqual(Enumerable.Range(0, permutation.Length).Select(axis => (long)axis)),
                $"perm is [{string.Join(", ", permutation)}], expected each of 0 to {permutation.Length - 1} once");
        }
        return new(permutation);
    }

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        SymbolicShape? shape = null;
        if (context.InputShape(0) is { } input)
        {
            context.Node.Expect(Permutation is null || Permutation.Length == input.Rank, $"perm has {Permutation?.Length} axes for an input of shape {input}");
            var dims = new Dim[input.Rank];
            for (int axis = 0; axis < dims.Length; axis++) dims[axis] = input[From(axis, dims.Length)];
            shape = new(dims);
        }
        context.SetOutput(0, context.InputType(0), shape);
        if (shape is { Rank: <= 1 } && context.InputDims(0) is { } elements) context.SetOutputDims(0, elements);
    }

    public unsafe void Evaluate(EvaluationContext context)
    {
        if (Converted.Unpacked(context, this)) return;
        (Tensor input, Tensor output) = (context.Input(0), context.Output(0));
        int rank = input.Rank;
        Span<CopyAxis> axes = stackalloc CopyAxis[rank];
        Span<long> steps = stackalloc long[rank];
        for (int axis = rank - 1; axis >= 0; axis--) steps[axis] = axis == rank - 1 ? 1 : steps[axis + 1] * input.Shape[axis + 1];
        long to = 1;
        for (int axis = rank - 1; axis >= 0; axis--)
        {
            axes[axis] = new(output.Shape[axis], steps[From(axis, rank)], to);
            to *= output.Shape[axis];
        }
        StridedCopy.Run(context.Node, input.Type, input.Address, output.Address, axes);
        GC.KeepAlive(context);
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        if (Permutation is null)
        {
            context.SetInputGradient(0, gradient.Apply("Transpose"));
            return;
        }
        var inverse = new long[Permutation.Length];
        for (int axis = 0; axis < inverse.Length; axis++) inverse[Permutation[axis]] = axis;
        context.SetInputGradient(0, gradient.Apply("Transpose", new Attributes { { "perm", inverse } }));
    }

    private int From(int axis, int rank) => Permutation is null ? rank - 1 - axis : (int)Permutation[axis];
}
