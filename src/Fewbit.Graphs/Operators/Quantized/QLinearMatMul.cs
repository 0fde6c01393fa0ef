using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>ONNX QLinearMatMul(a, sa, za, b, sb, zb, sy, zy): code = requantize(sum (a - za)(b - zb)) with the factor sa * sb / sy, one or one per column.</summary>
internal sealed record QLinearMatMul : ICompiledOperator
{
    private static readonly ProductInputs Inputs = new(X: 0, XScale: 1, XZeroPoint: 2, W: 3, WScale: 4, WZeroPoint: 5, YScale: 6, YZeroPoint: 7, Bias: -1);

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(8, 8);
        context.SetOutput(0, context.InputType(7), IntegerMatrixProduct.InferShape(context, 0, 3));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel Compile(CompilationContext context)
    {
        context.Node.Expect(IntegerProductKernel.Fits(context, Inputs), $"takes {context.InputType(0).Name()} and {context.InputType(3).Name()}, expected 8-bit codes");
        return new IntegerProductKernel(context, IntegerMatrixProduct.Of(context.Node, context.InputShape(0), context.InputShape(3)), Inputs);
    }
}
