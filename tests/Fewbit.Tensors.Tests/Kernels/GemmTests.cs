using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Tests.Kernels;

[Collection(nameof(KernelPathSwitch))]
public sealed unsafe class GemmTests
{
    // A sum of K products in another order errs by a few K times the unit roundoff at worst; in practice by its root.
    private const double Tolerance = 2e-6;

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(1, 37, 129)]
    [InlineData(37, 1, 129)]
    [InlineData(1, 2100, 67)]
    [InlineData(2100, 1, 67)]
    [InlineData(2, 3, 5)]
    [InlineData(12, 32, 384)]
    [InlineData(13, 33, 513)]
    [InlineData(25, 31, 7)]
    [InlineData(67, 131, 801)]
    [InlineData(151, 97, 64)]
    [InlineData(601, 5, 530)] // enough rows for tiles that pack the left operand
    [InlineData(5, 7, 0)]
    [InlineData(0, 7, 3)]
    [InlineData(7, 0, 3)]
    public void Run_EveryPathAndTranspose_EqualsReference(int m, int n, int k) => Paths.Each(path =>
    {
        using var a = Numbers.Floats(m * k, 1);
        using var b = Numbers.Floats(k * n, 2);
        using var rowBias = Numbers.Floats(m, 3);
        using var columnBias = Numbers.Floats(n, 4);
        using var residual = Numbers.Floats(m * n, 5);
        for (int variant = 0; variant < 32; variant++)
        {
            using var actual = Numbers.Floats(m * n, 6);
            using var expected = Numbers.Floats(m * n, 6);
            GemmProblem problem = GemmProblem.Dense(m, n, k, a.Pointer, b.Pointer, actual.Pointer, (variant & 1) != 0, (variant & 2) != 0);
            problem.Alpha = (variant & 4) != 0 ? -0.5f : 1;
            problem.Beta = (variant & 4) != 0 ? 0.25f : 0;
            if ((variant & 24) != 0)
                problem.Epilogue = new Epilogue { RowBias = rowBias.Pointer, ColumnBias = columnBias.Pointer, Residual = residual.Pointer, Activation = Activations[variant % Activations.Length] };
            using var scratch = new NativeBuffer<byte>(Gemm.ScratchBytes(problem));
            Gemm.Run(problem, scratch.Pointer);
            problem.C = expected.Pointer;
            Gemm.Reference(problem);
            Assert.True(Numbers.RelativeError(actual.Span, expected.Span) < Tolerance, $"{path}, variant {variant}");
        }
    });

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(13, 33, 513)]
    [InlineData(1, 70, 600)]
    [InlineData(30, 65, 900)]
    public void Run_PackedOperands_EqualsReference(int m, int n, int k) => Paths.Each(path =>
    {
        using var a = Numbers.Floats(m * k, 1);
        using var b = Numbers.Floats(k * n, 2);
        using var expected = new NativeBuffer<float>(m * n);
        Gemm.Reference(GemmProblem.Dense(m, n, k, a.Pointer, b.Pointer, expected.Pointer));
        using var left = new NativeBuffer<byte>(PackedMatrix.Bytes(PackedMatrix.Side.Left, m, k));
        using var right = new NativeBuffer<byte>(PackedMatrix.Bytes(PackedMatrix.Side.Right, n, k));
        PackedMatrix packedA = PackedMatrix.Pack(PackedMatrix.Side.Left, a.Pointer, k, false, m, k, (float*)left.Pointer);
        PackedMatrix packedB = PackedMatrix.Pack(PackedMatrix.Side.Right, b.Pointer, n, false, n, k, (float*)right.Pointer);
        for (int which = 1; which < 4; which++)
        {
            using var actual = new NativeBuffer<float>(m * n);
            GemmProblem problem = GemmProblem.Dense(m, n, k, a.Pointer, b.Pointer, actual.Pointer);
            if ((which & 1) != 0) problem.PackedA = packedA;
            if ((which & 2) != 0) problem.PackedB = packedB;
            using var scratch = new NativeBuffer<byte>(Gemm.ScratchBytes(problem));
            Gemm.Run(problem, scratch.Pointer);
            Assert.True(Numbers.RelativeError(actual.Span, expected.Span) < Tolerance, $"{path}, packed {which}");
        }
    });

    [Theory]
    [InlineData(20, 70, 100)]
    [InlineData(30, 65, 900)]
    public void Run_ResidualIsTheResult_AddsWhatItHeld(int m, int n, int k) => Paths.Each(path =>
    {
        using var a = Numbers.Floats(m * k, 1);
        using var b = Numbers.Floats(k * n, 2);
        using var residual = Numbers.Floats(m * n, 3);
        using var actual = Numbers.Floats(m * n, 3);
        using var expected = new NativeBuffer<float>(m * n);
        GemmProblem problem = GemmProblem.Dense(m, n, k, a.Pointer, b.Pointer, actual.Pointer);
        problem.Epilogue = new Epilogue { Residual = actual.Pointer, Activation = Activation.Relu };
        using var scratch = new NativeBuffer<byte>(Gemm.ScratchBytes(problem));
        Gemm.Run(problem, scratch.Pointer);
        problem.C = expected.Pointer;
        problem.Epilogue.Residual = residual.Pointer;
        Gemm.Reference(problem);
        Assert.True(Numbers.RelativeError(actual.Span, expected.Span) < Tolerance, $"{path}");
    });

    [Fact]
    public void Run_OperandsLargerThanWhatIsPackedAtATime_GivesTheBytesOfPackedOperands() => Paths.Each(path =>
    {
        if (path == KernelPath.Scalar) return; // packs nothing
        const int m = 200, n = 3000, k = 1000;
        using var a = Numbers.Floats(m * k, 1);
        using var b = Numbers.Floats(k * n, 2);
        using var actual = new NativeBuffer<float>(m * n);
        using var expected = new NativeBuffer<float>(m * n);
        GemmProblem problem = GemmProblem.Dense(m, n, k, a.Pointer, b.Pointer, actual.Pointer);
        using var scratch = new NativeBuffer<byte>(Gemm.ScratchBytes(problem));
        Assert.True(Gemm.ScratchBytes(problem) < (long)k * n * sizeof(float), "all blocks were packed at once: take a larger product");
        Gemm.Run(problem, scratch.Pointer);
        using var left = new NativeBuffer<byte>(PackedMatrix.Bytes(PackedMatrix.Side.Left, m, k));
        using var right = new NativeBuffer<byte>(PackedMatrix.Bytes(PackedMatrix.Side.Right, n, k));
        problem.PackedA = PackedMatrix.Pack(PackedMatrix.Side.Left, a.Pointer, k, false, m, k, (float*)left.Pointer);
        problem.PackedB = PackedMatrix.Pack(PackedMatrix.Side.Right, b.Pointer, n, false, n, k, (float*)right.Pointer);
        problem.C = expected.Pointer;
        Gemm.Run(problem, null);
        Assert.True(actual.Span.SequenceEqual(expected.Span), $"{path}");
    });

    [Theory]
    [InlineData("Gelu")]
    [InlineData("TanhGelu")]
    [InlineData("Swish")]
    public void ApplySmooth_EveryPath_EqualsTheFormula(string name) => Paths.Each(path =>
    {
        ActivationKind kind = Enum.Parse<ActivationKind>(name);
        float[] special = [float.NaN, float.PositiveInfinity, 0, -0f, 1e-30f, 88, 90, -87, -90, 1e4f, -1e4f];
        float[] x = [.. special, .. Enumerable.Range(-400, 801).Select(i => i / 32f)];
        float[] y = [.. x];
        var activation = new Activation(kind, 1.7f);
        fixed (float* pointer = y) activation.ApplySmooth(pointer, y.Length);
        for (int i = 0; i < x.Length; i++)
        {
            double expected = Smooth(kind, x[i]), tolerance = 1e-6 * Math.Max(1, Math.Abs(expected));
            Assert.True(y[i].Equals((float)expected) || Math.Abs(y[i] - expected) < tolerance, $"{path}: {kind}({x[i]}) is {y[i]}, expected {expected}");
        }
    });

    private static double Smooth(ActivationKind kind, double x) => kind switch
    {
        ActivationKind.Gelu => x / 2 * (1 + Erf(x / Math.Sqrt(2))),
        ActivationKind.TanhGelu => x / 2 * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
        _ => x / (1 + Math.Exp(-1.7f * x)),
    };

    /// <summary>The integral by its definition, with Simpson's rule.</summary>
    private static double Erf(double x)
    {
        if (double.IsNaN(x)) return x;
        const int steps = 2000;
        double end = Math.Clamp(x, -7, 7), width = end / steps, sum = 1 + Math.Exp(-end * end);
        for (int i = 1; i < steps; i++) sum += (i % 2 == 0 ? 2 : 4) * Math.Exp(-i * width * i * width);
        return 2 / Math.Sqrt(Math.PI) * sum * width / 3;
    }

    [Fact]
    public void Run_StridedOperands_LeavesTheRestOfCAlone()
    {
        const int m = 14, n = 35, k = 20, stride = 50;
        using var a = Numbers.Floats(m * stride, 1);
        using var b = Numbers.Floats(k * stride, 2);
        using var actual = Numbers.Floats(m * stride, 3);
        using var expected = Numbers.Floats(m * stride, 3);
        var problem = new GemmProblem(m, n, k) { A = a.Pointer, StrideA = stride, B = b.Pointer, StrideB = stride, C = actual.Pointer, StrideC = stride };
        using var scratch = new NativeBuffer<byte>(Gemm.ScratchBytes(problem));
        Gemm.Run(problem, scratch.Pointer);
        problem.C = expected.Pointer;
        Gemm.Reference(problem);
        Assert.True(Numbers.RelativeError(actual.Span, expected.Span) < Tolerance);
        for (int i = 0; i < m; i++) Assert.Equal(expected.Span[(i * stride + n)..((i + 1) * stride)].ToArray(), actual.Span[(i * stride + n)..((i + 1) * stride)].ToArray());
    }

    [Theory]
    [InlineData(3, 9, 10, 11)]
    [InlineData(7, 40, 33, 20)]
    public void RunBatched_SharedRightOperand_EqualsReference(int count, int m, int n, int k) => Paths.Each(path =>
    {
        using var a = Numbers.Floats(count * m * k, 1);
        using var b = Numbers.Floats(k * n, 2);
        using var actual = new NativeBuffer<float>(count * m * n);
        using var expected = new NativeBuffer<float>(count * m * n);
        GemmProblem problem = GemmProblem.Dense(m, n, k, a.Pointer, b.Pointer, actual.Pointer);
        using var scratch = new NativeBuffer<byte>(Gemm.ScratchBytes(problem));
        Gemm.RunBatched(problem, count, m * k, 0, m * n, scratch.Pointer);
        Gemm.Reference(GemmProblem.Dense(count * m, n, k, a.Pointer, b.Pointer, expected.Pointer));
        Assert.True(Numbers.RelativeError(actual.Span, expected.Span) < Tolerance, $"{path}");
    });

    [Fact]
    public void Run_OneOrManyThreads_GivesTheSameBytes()
    {
        const int m = 301, n = 517, k = 900;
        using var a = Numbers.Floats(m * k, 1);
        using var b = Numbers.Floats(k * n, 2);
        using var one = new NativeBuffer<float>(m * n);
        using var many = new NativeBuffer<float>(m * n);
        GemmProblem problem = GemmProblem.Dense(m, n, k, a.Pointer, b.Pointer, one.Pointer);
        using var scratch = new NativeBuffer<byte>(Gemm.ScratchBytes(problem));
        int threads = Workers.ThreadCount;
        try
        {
            Workers.ThreadCount = 1;
            Gemm.Run(problem, scratch.Pointer);
            Workers.ThreadCount = 5;
            problem.C = many.Pointer;
            Gemm.Run(problem, scratch.Pointer);
        }
        finally
        {
            Workers.ThreadCount = threads;
        }
        Assert.True(one.Span.SequenceEqual(many.Span));
    }

    private static readonly Activation[] Activations = [Activation.None, Activation.Relu, Activation.Clip(-8, 12), Activation.LeakyRelu(0.1f), Activation.Gelu, Activation.TanhGelu, Activation.Swish(1.5f)];
}
