using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>ONNX BitCast, opset 26: the same bits as elements of another type of the same width.</summary>
/// <param name="To">The type.</param>
internal sealed record BitCast(ElementType To) : IViewOperator
{
    public static BitCast Parse(Node node) => new((ElementType)node.Int("to"));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        ElementType type = context.InputType(0);
        context.Node.Expect(To.BitWidth() > 0 && (type == ElementType.Undefined || type.BitWidth() == To.BitWidth()), $"input 0 is {context.Node.Input(0)}, expected elements of {To.BitWidth()} bits as {To.Name()} has");
        context.SetOutput(0, To, context.InputShape(0));
    }

    public void Evaluate(EvaluationContext context) => context.Input(0).View(To, context.Input(0).Shape, 0).CopyTo(context.Output(0));
}
