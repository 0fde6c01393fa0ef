using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Movement;

/// <summary>ONNX Concat, opset 13: the inputs one behind the other along an axis.</summary>
internal sealed record Concat(long Axis) : IDifferentiable
{
    public static Concat Parse(Node node) => new(node.Int("axis"));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, int.MaxValue);
        int[] all = [.. Enumerable.Range(0, context.InputCount)];
        foreach (int index in all) context.Node.Expect(context.HasInput(index), $"input {index} is left out, but it is required");
        ElementType type = context.ExpectOneType(all);
        SymbolicShape? shape = null;
        int axis = 0;
        foreach (int index in all)
        {
            if (context.InputShape(index) is not { } next)
            {
                context.SetOutput(0, type, null);
                return;
            }
            if (shape is null) axis = context.Node.Axis(Axis, next.Rank);
            shape = shape is null ? next : Joined(context.Node, shape, next, axis);
        }
        context.SetOutput(0, type, shape);
        if (shape is { Rank: 1 } && all.Select(context.InputDims).ToArray() is { } parts && Array.TrueForAll(parts, part => part is not null))
        {
            context.SetOutputDims(0, [.. parts.SelectMany(part => part!)]);
        }
    }

    public unsafe void Evaluate(EvaluationContext context)
    {
        if (Converted.Unpacked(context, this)) return;
        Tensor output = context.Output(0);
        int axis = context.Node.Axis(Axis, output.Rank);
        Shape whole = output.StoredShape;
        long inner = whole.CountOf(axis + 1, whole.Rank), outer = whole.CountOf(0, axis), row = whole[axis] * inner, at = 0;
        int width = output.Type.BitWidth() / 8;
        for (int i = 0; i < context.InputCount; i++)
        {
            Tensor input = context.Input(i);
            long part = input.StoredShape[axis] * inner;
            StridedCopy.Run(context.Node, output.Type, input.Address, output.Address + at * width, [new(outer, part, row), new(part, 1, 1)]);
            at += part;
        }
        GC.KeepAlive(context);
    }

    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient) return;
        int count = context.Node.Inputs.Count;
        int rank = context.Input(0).Shape?.Rank ?? throw context.Node.Fail("its gradient needs inputs of known rank");
        int axis = context.Node.Axis(Axis, rank);
        var lengths = new Value[count];
        for (int i = 0; i < count; i++) lengths[i] = context.Input(i).Apply("Shape", new Attributes { { "start", (long)axis }, { "end", axis + 1L } });
        Value sizes = context.Graph.AddNode("Concat", lengths, new() { { "axis", 0L } }).Outputs[0];
        Node split = context.Graph.AddNode("Split", [gradient, sizes], new() { { "axis", (long)axis } }, count);
        for (int i = 0; i < count; i++)
        {
            if (context.Needs(i)) context.SetInputGradient(i, split.Outputs[i]);
        }
    }

    private static SymbolicShape Joined(Node node, SymbolicShape a, SymbolicShape b, int axis)
    {
        node.Expect(a.Rank == b.Rank, $"joins inputs of shape {a} and {b}, expected one rank");
        var dims = new Dim[a.Rank];
        for (int i = 0; i < dims.Length; i++)
        {
            node.Expect(i == axis || a[i].MayEqual(b[i]), $"joins inputs of shape {a} and {b} along axis {axis}: dimension {i} differs");
            dims[i] = i == axis ? a[i] + b[i] : a[i].Or(b[i]);
        }
        return new(dims);
    }
}
