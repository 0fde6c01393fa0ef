using Fewbit.Graphs.Operators.Quantized;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Contributed;

/// <summary>com.microsoft DynamicQuantizeMatMul(a, b, sb, zb, bias): a quantized over its own range, times codes b, as float32.</summary>
internal sealed record DynamicQuantizeMatMul : ICompiledOperator
{
    private const int Bias = 4, InputCodes = 5, InputScale = 6, InputZeroPoint = 7;
    private static readonly ProductInputs Inputs = new(X: InputCodes, XScale: InputScale, XZeroPoint: InputZeroPoint, W: 1, WScale: 2, WZeroPoint: 3, YScale: -1, YZeroPoint: -1, Bias: -1);

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, 5);
        context.ExpectType(0, type => type == ElementType.Float32, "float32");
        context.ExpectType(1, type => type is ElementType.UInt8 or ElementType.Int8, "8-bit codes");
        context.SetOutput(0, ElementType.Float32, IntegerMatrixProduct.InferShape(context, 0, 1));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel Compile(CompilationContext context)
    {
        context.Node.Expect(context.InputType(0) == ElementType.Float32 && context.InputType(1).Is8Bit(), $"takes {context.InputType(0).Name()} and {context.InputType(1).Name()}, expected float32 and 8-bit codes");
        return new Kernel(new IntegerProductKernel(context, IntegerMatrixProduct.Of(context.Node, context.InputShape(0), context.InputShape(1)), Inputs), context.InputShape(0));
    }

    private sealed class Kernel(IntegerProductKernel product, Shape a) : IKernel
    {
        private readonly Tensor _codes = Tensor.AllocateUninitialized(ElementType.UInt8, a);
        private readonly Tensor _scale = Tensor.AllocateUninitialized(ElementType.Float32, []);
        private readonly Tensor _zeroPoint = Tensor.AllocateUninitialized(ElementType.UInt8, []);
        private readonly ScratchSpace _scratch = new();
        private EvaluationContext? _inner;

        public void Run(EvaluationContext context)
        {
            DynamicQuantizeLinear.Quantize(context.Input(0).Span<float>(), _codes.Span<byte>(), out _scale.Span<float>()[0], out _zeroPoint.Span<byte>()[0]);
            _inner ??= new(context.Node, [null, null, null, null, null, _codes, _scale, _zeroPoint], [null], _scratch);
            for (int i = 1; i < Bias; i++) _inner.Bind(i, context.FindInput(i));
            _inner.BindOutput(0, context.Output(0));
            product.Run(_inner);
            if (context.FindInput(Bias) is not { } bias) return;
            Span<float> y = context.Output(0).Span<float>(), added = bias.Span<float>();
            for (int i = 0; i < y.Length; i++) y[i] += added[i % added.Length];
        }
    }
}
