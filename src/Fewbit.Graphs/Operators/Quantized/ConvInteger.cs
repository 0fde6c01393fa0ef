using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>ONNX ConvInteger(x, w, zx, zw): the int32 sums of (x - zx)(w - zw).</summary>
internal sealed record ConvInteger(WindowAttributes Window, long Groups) : ICompiledOperator
{
    private static readonly ProductInputs Inputs = new(X: 0, XScale: -1, XZeroPoint: 2, W: 1, WScale: -1, WZeroPoint: 3, YScale: -1, YZeroPoint: -1, Bias: -1);

    public static ConvInteger Parse(Node node) => new(WindowAttributes.Parse(node), node.Int("group", 1));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 4);
        context.SetOutput(0, ElementType.Int32, IntegerConvolution.InferShape(context, Window, Groups, 0, 1));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel Compile(CompilationContext context)
    {
        var shape = ConvGeometry.Of(context.Node, Window, Groups, context.InputShape(0), context.InputShape(1));
        return IntegerConvKernel.Fits(context, shape, Inputs) ? new IntegerConvKernel(context, shape.ToPlanar(), Inputs) : new ReferenceKernel(shape);
    }

    private sealed class ReferenceKernel(ConvGeometry shape) : IKernel
    {
        public void Run(EvaluationContext context) =>
            IntegerConvolution.Accumulate(shape, context.Input(0), context.ZeroPoint(2), context.Input(1), context.ZeroPoints(3), null).CopyTo(context.Output(0).Span<int>());
    }
}
