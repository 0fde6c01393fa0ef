using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators;

/// <summary>A batched matrix product in float32; a single one may end with a bias, a residual and an activation.</summary>
internal sealed unsafe class FloatMatMulKernel : IKernel
{
    private readonly MatMulShape _shape;
    private readonly float _alpha;
    private readonly Activation _activation;
    private readonly Tensor? _packed;
    private readonly long _stepA, _stepB;
    private readonly bool _isEven;

    /// <param name="shape">All lengths.</param>
    /// <param name="alpha">Factor of the product.</param>
    /// <param name="right">B where it is constant: a single matrix is packed here, once.</param>
    /// <param name="activation">Applied to the result, after bias (input 2) and residual (input 3) are added.</param>
    public FloatMatMulKernel(MatMulShape shape, float alpha, Tensor? right, Activation activation = default)
    {
        (_shape, _alpha, _activation) = (shape, alpha, activation);
        _isEven = IsEven(shape.StartA, out _stepA) & IsEven(shape.StartB, out _stepB);
        // A single row reads the matrix once: packing would only cost memory.
        if (right is not null && shape.Count == 1 && shape.M > 1) _packed = PackedRight.Of(right, shape.N, shape.K, shape.TransposeB);
    }

    public void Run(EvaluationContext context)
    {
        float* c = (float*)context.Output(0).Address;
        GemmProblem problem = GemmProblem.Dense(_shape.M, _shape.N, _shape.K, (float*)context.Input(0).Address, (float*)context.Input(1).Address, c, _shape.TransposeA, _shape.TransposeB);
        problem.Alpha = _alpha;
        if (_packed is not null) problem.PackedB = PackedRight.View(_packed, _shape.N, _shape.K);
        problem.Epilogue = new Epilogue
        {
            ColumnBias = context.FindInput(MatMul.Bias) is { } bias ? (float*)bias.Address : null,
            Residual = context.FindInput(MatMul.Residual) is { } residual ? (float*)residual.Address : null,
            Activation = _activation,
        };
        void* scratch = context.Scratch(Gemm.ScratchBytes(problem));
        if (_shape.Count == 1)
        {
            Gemm.Run(problem, scratch);
            return;
        }
        long size = (long)_shape.M * _shape.N;
        if (_isEven)
        {
            Gemm.RunBatched(problem, _shape.Count, _stepA, _stepB, size, scratch);
            return;
        }
        float* a = problem.A, b = problem.B;
        for (int i = 0; i < _shape.Count; i++)
        {
            problem.A = a + _shape.StartA[i];
            problem.B = b + _shape.StartB[i];
            problem.C = c + i * size;
            Gemm.Run(problem, scratch);
        }
    }

    /// <summary>True where the starts lie at equal distances.</summary>
    private static bool IsEven(long[] starts, out long step)
    {
        step = starts.Length > 1 ? starts[1] : 0;
        for (int i = 0; i < starts.Length; i++)
        {
            if (starts[i] != i * step) return false;
        }
        return true;
    }
}

/// <summary>A constant right operand, packed once for all plans.</summary>
internal static unsafe class PackedRight
{
    /// <summary>The packed form.</summary>
    public static Tensor Of(Tensor matrix, int columns, int inner, bool transposed, long start = 0) =>
        CompilationContext.Derive(matrix, ("PackedRight", columns, inner, transposed, start, KernelPaths.Active), source =>
        {
            Tensor packed = Tensor.AllocateUninitialized(ElementType.UInt8, [PackedMatrix.Bytes(PackedMatrix.Side.Right, columns, inner)]);
            PackedMatrix.Pack(PackedMatrix.Side.Right, (float*)source.Address + start, transposed ? inner : columns, transposed, columns, inner, (float*)packed.Address);
            GC.KeepAlive(source);
            return packed;
        });

    public static PackedMatrix View(Tensor packed, int columns, int inner) =>
        PackedMatrix.Over(PackedMatrix.Side.Right, columns, inner, (float*)packed.Address, FloatKernel.Active);
}
