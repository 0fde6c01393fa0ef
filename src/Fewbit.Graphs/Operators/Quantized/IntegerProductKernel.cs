using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>A product of stacked matrices of codes on the packed 8-bit kernels.</summary>
internal sealed unsafe class IntegerProductKernel : IKernel
{
    private readonly IntegerMatrixProduct _product;
    private readonly ProductInputs _inputs;
    private readonly bool _transposesB;
    private readonly float _alpha;
    private readonly Tensor? _packed;

    /// <param name="context">The node's constants: a constant right side is packed here, once.</param>
    /// <param name="product">All lengths.</param>
    /// <param name="inputs">Places of the inputs.</param>
    /// <param name="transposesB">Whether the right matrix is stored [columns, inner].</param>
    /// <param name="alpha">Multiplies the factors.</param>
    public IntegerProductKernel(CompilationContext context, IntegerMatrixProduct product, ProductInputs inputs, bool transposesB = false, float alpha = 1)
    {
        (_product, _inputs, _transposesB, _alpha) = (product, inputs, transposesB, alpha);
        inputs.Expect(context, product.Columns);
        Tensor? zeroPoint = context.HasInput(inputs.WZeroPoint) ? context.Constant(inputs.WZeroPoint) : null;
        if (context.Constant(inputs.W) is not { } weight || context.HasInput(inputs.WZeroPoint) && zeroPoint is null) return;
        string zeroPoints = zeroPoint is null ? "" : Convert.ToHexString(zeroPoint.Bytes);
        _packed = CompilationContext.Derive(weight, ("Int8Gemm", transposesB, zeroPoints, KernelPaths.Active), tensor => Pack(tensor, zeroPoint));
    }

    private long MatrixBytes => (Int8Gemm.PackedWeightBytes(_product.Columns, _product.Inner) + 63) / 64 * 64;

    public static bool Fits(CompilationContext context, ProductInputs inputs) => context.InputType(inputs.X).Is8Bit() && context.InputType(inputs.W).Is8Bit();

    public void Run(EvaluationContext context)
    {
        (Tensor x, Tensor y) = (context.Input(_inputs.X), context.Output(0));
        float[] factors = _inputs.Factors(context, _alpha);
        long packedBytes = _packed is null ? MatrixBytes * _product.B.ElementCount : 0;
        byte* scratch = (byte*)context.Scratch(packedBytes + Int8Gemm.ScratchBytes(_product.Rows, _product.Columns, _product.Inner));
        byte* packed = _packed is null ? scratch : _packed.Address;
        if (_packed is null) Pack(context.Input(_inputs.W), context.FindInput(_inputs.WZeroPoint), packed);
        fixed (float* scales = factors)
        {
            var target = new Requantization { Output = Outputs.Of(y.Type), Scales = scales, IsPerChannel = factors.Length > 1, ZeroPoint = _inputs.YZeroPoint < 0 ? 0 : context.ZeroPoint(_inputs.YZeroPoint) };
            if (_inputs.Bias >= 0 && context.FindInput(_inputs.Bias) is { } bias) target.Bias = (int*)bias.Address;
            var problem = new Int8GemmProblem
            {
                M = _product.Rows, N = _product.Columns, K = _product.Inner, StrideA = _product.Inner, StrideC = _product.Columns,
                Input = new Int8Input(context.ZeroPoint(_inputs.XZeroPoint), x.Type == ElementType.Int8), Target = target,
            };
            Multiply(problem, x.Address, packed, y.Address, scratch + packedBytes);
        }
    }

    private void Multiply(Int8GemmProblem problem, byte* x, byte* packed, byte* y, void* scratch)
    {
        Shape stack = _product.Stack;
        var walk = new BroadcastWalk(stack, _product.A, _product.B);
        for (long matrix = 0; matrix < stack.ElementCount; matrix++)
        {
            problem.A = x + walk.A * _product.Rows * _product.Inner;
            problem.PackedB = packed + walk.B * MatrixBytes;
            problem.C = y + matrix * _product.Rows * _product.Columns * problem.Target.ElementBytes;
            Int8Gemm.Run(problem, scratch);
            walk.Next();
        }
    }

    private Tensor Pack(Tensor weight, Tensor? zeroPoint)
    {
        Tensor packed = Tensor.AllocateUninitialized(ElementType.UInt8, [MatrixBytes * _product.B.ElementCount]);
        Pack(weight, zeroPoint, packed.Address);
        return packed;
    }

    private void Pack(Tensor weight, Tensor? zeroPoint, byte* packed)
    {
        Int8Weights source = Outputs.Weights(weight, zeroPoint);
        for (long matrix = 0; matrix < _product.B.ElementCount; matrix++)
        {
            Int8Gemm.PackWeights(source, _transposesB ? _product.Inner : _product.Columns, _transposesB, _product.Columns, _product.Inner, packed + matrix * MatrixBytes);
            source.Data += (long)_product.Inner * _product.Columns;
        }
        GC.KeepAlive(weight);
        GC.KeepAlive(zeroPoint);
    }
}
