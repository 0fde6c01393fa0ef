namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>
/// ONNX QLinearConv(x, sx, zx, w, sw, zw, sy, zy, bias): code = requantize(bias + sum (x - zx)(w - zw)) with the factor sx * sw / sy,
/// computed in float32 from left to right, one or one per output channel.
/// </summary>
internal sealed record QLinearConv(WindowAttributes Window, long Groups) : ICompiledOperator
{
    private static readonly ProductInputs Inputs = new(X: 0, XScale: 1, XZeroPoint: 2, W: 3, WScale: 4, WZeroPoint: 5, YScale: 6, YZeroPoint: 7, Bias: 8);

    public static QLinearConv Parse(Node node)
    {
        node.Expect(node.Int("channels_last", 0) == 0, $"has channels_last, expected [N, C, spatial]");
        return new(WindowAttributes.Parse(node), node.Int("group", 1));
    }

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(7, 9);
        context.SetOutput(0, context.HasInput(7) ? context.InputType(7) : context.InputType(0), IntegerConvolution.InferShape(context, Window, Groups, 0, 3));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel Compile(CompilationContext context)
    {
        var shape = ConvGeometry.Of(context.Node, Window, Groups, context.InputShape(0), context.InputShape(3));
        Inputs.Expect(context, shape.OutChannels);
        return IntegerConvKernel.Fits(context, shape, Inputs) ? new IntegerConvKernel(context, shape.ToPlanar(), Inputs) : new ReferenceKernel(shape);
    }

    /// <summary>By the definition: three dimensions.</summary>
    internal sealed class ReferenceKernel(ConvGeometry shape) : IKernel
    {
        public void Run(EvaluationContext context)
        {
            int[] sums = IntegerConvolution.Accumulate(shape, context.Input(0), context.ZeroPoint(2), context.Input(3), context.ZeroPoints(5), context.FindInput(8));
            QuantizedSums.Rows(sums, shape.OutChannels, (int)shape.OutPlane, Inputs.Factors(context), context.ZeroPoint(7), context.Output(0));
        }
    }
}
