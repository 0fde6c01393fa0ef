using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>ONNX MatMulInteger(a, b, za, zb): the int32 sums of (a - za)(b - zb).</summary>
internal sealed record MatMulInteger : ICompiledOperator
{
    private static readonly ProductInputs Inputs = new(X: 0, XScale: -1, XZeroPoint: 2, W: 1, WScale: -1, WZeroPoint: 3, YScale: -1, YZeroPoint: -1, Bias: -1);

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 4);
        context.SetOutput(0, ElementType.Int32, IntegerMatrixProduct.InferShape(context, 0, 1));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel Compile(CompilationContext context)
    {
        context.Node.Expect(IntegerProductKernel.Fits(context, Inputs), $"takes {context.InputType(0).Name()} and {context.InputType(1).Name()}, expected 8-bit codes");
        return new IntegerProductKernel(context, IntegerMatrixProduct.Of(context.Node, context.InputShape(0), context.InputShape(1)), Inputs);
    }
}

/// <summary>com.microsoft MatMulIntegerToFloat(a, b, sa, sb, za, zb, bias): float(sum of (a - za)(b - zb)) * (sa * sb) + bias.</summary>
internal sealed record MatMulIntegerToFloat : ICompiledOperator
{
    private const int Bias = 6;
    private static readonly ProductInputs Inputs = new(X: 0, XScale: 2, XZeroPoint: 4, W: 1, WScale: 3, WZeroPoint: 5, YScale: -1, YZeroPoint: -1, Bias: -1);

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(4, 7);
        context.SetOutput(0, ElementType.Float32, IntegerMatrixProduct.InferShape(context, 0, 1));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel Compile(CompilationContext context)
    {
        context.Node.Expect(IntegerProductKernel.Fits(context, Inputs), $"takes {context.InputType(0).Name()} and {context.InputType(1).Name()}, expected 8-bit codes");
        return new Kernel(new IntegerProductKernel(context, IntegerMatrixProduct.Of(context.Node, context.InputShape(0), context.InputShape(1)), Inputs));
    }

    private sealed class Kernel(IntegerProductKernel product) : IKernel
    {
        public void Run(EvaluationContext context)
        {
            product.Run(context);
            if (context.FindInput(Bias) is not { } bias) return;
            Span<float> y = context.Output(0).Span<float>(), added = bias.Span<float>();
            for (int i = 0; i < y.Length; i++) y[i] += added[i % added.Length];
        }
    }
}
