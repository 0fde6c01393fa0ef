using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Movement;

/// <summary>ONNX Split, opset 18: parts of the input along an axis, of given lengths, or equal but for a shorter last one.</summary>
/// <param name="Axis">Dimension to split.</param>
/// <param name="Parts">num_outputs; 0 where it is left out.</param>
internal sealed record Split(long Axis, long Parts) : IDifferentiable
{
    public static Split Parse(Node node) => new(node.Int("axis", 0), node.Int("num_outputs", 0));

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(1, 2);
        node.Expect(Parts == 0 || Parts == node.Outputs.Count, $"num_outputs is {Parts}, but it has {node.Outputs.Count} outputs");
        SymbolicShape? input = context.InputShape(0);
        int axis = input is null ? 0 : node.Axis(Axis, input.Rank);
        Dim[]? lengths = input is null ? null : Lengths(context, input[axis]);
        for (int i = 0; i < node.Outputs.Count; i++) context.SetOutput(i, context.InputType(0), input?.With(axis, lengths?[i] ?? Dim.Unknown));
    }

    public unsafe void Evaluate(EvaluationContext context)
    {
        if (Converted.Unpacked(context, this)) return;
        Tensor input = context.Input(0);
        int axis = context.Node.Axis(Axis, input.Rank);
        long inner = input.Shape.CountOf(axis + 1, input.Rank), outer = input.Shape.CountOf(0, axis), row = input.Shape[axis] * inner, at = 0;
        int width = input.Type.BitWidth() / 8;
        long total = 0;
        for (int i = 0; i < context.OutputCount; i++) total += context.Output(i).Shape[axis];
        context.Node.Expect(total == input.Shape[axis], $"splits {input.Shape[axis]} into parts of {total} together");
        for (int i = 0; i < context.OutputCount; i++)
        {
            Tensor output = context.Output(i);
            long part = output.Shape[axis] * inner;
            StridedCopy.Run(context.Node, input.Type, input.Address + at * width, output.Address, [new(outer, row, part), new(part, 1, 1)]);
            at += part;
        }
        GC.KeepAlive(context);
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0)) return;
        int count = context.Node.Outputs.Count;
        var parts = new Value[count];
        for (int i = 0; i < count; i++)
        {
            parts[i] = context.OutputGradient(i) ?? context.Output(i) * context.Output(i).Scalar(0);
        }
        context.SetInputGradient(0, context.Graph.AddNode("Concat", parts, new() { { "axis", Axis } }).Outputs[0]);
    }

    private static Dim[]? Lengths(InferenceContext context, Dim total)
    {
        Node node = context.Node;
        int count = node.Outputs.Count;
        if (context.HasInput(1))
        {
            if (context.InputDims(1) is not { } given) return null;
            node.Expect(given.Length == count, $"splits into {given.Length} lengths, but has {count} outputs");
            node.Expect(!total.IsKnown || Array.Exists(given, dim => !dim.IsKnown) || given.Sum(dim => dim.Length) == total.Length,
                $"splits {total} into [{string.Join(", ", given)}], expected lengths that add up to {total}");
            return given;
        }
        if (!total.IsKnown) return null;
        long part = (total.Length + count - 1) / count, last = total.Length - part * (count - 1);
        node.Expect(last >= 0, $"splits {total} into {count} parts of {part}");
        return [.. Enumerable.Repeat((Dim)part, count - 1), last];
    }
}
