using Fewbit.Tensors.Emission;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Tensors.Tests.Kernels;

[Collection(nameof(KernelPathSwitch))]
public sealed unsafe class Int8Tests
{
    public static TheoryData<string> Shapes => Conv2DTests.Shapes;

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Conv2D_EveryPathTypeAndOutput_EqualsReferenceExactly(string name) => Paths.Each(path =>
    {
        Conv2DShape shape = Conv2DTests.ShapeList[name];
        int outputs = shape.Batch * shape.OutChannels * shape.OutPlane;
        using var x = Numbers.Bytes(shape.Batch * shape.InChannels * shape.InPlane, 1);
        using var w = Numbers.Bytes(shape.OutChannels * shape.Inner, 2);
        using var zeroPoints = Numbers.Bytes(shape.OutChannels, 3);
        using var bias = NativeBuffer<int>.Of(shape.OutChannels, i => i * 1001 - 3000);
        using var scales = NativeBuffer<float>.Of(shape.OutChannels, i => (0.5f + i % 7) / (400f * MathF.Sqrt(shape.Inner)));
        using var packed = new NativeBuffer<byte>(Int8Conv2D.PackedWeightBytes(shape));
        using var scratch = new NativeBuffer<byte>(Int8Conv2D.ScratchBytes(shape));
        for (int variant = 0; variant < 8; variant++)
        {
            var weights = new Int8Weights { Data = w.Pointer, IsSigned = (variant & 1) == 0, ZeroPoints = (variant & 2) == 0 ? null : zeroPoints.Pointer, IsPerChannel = true };
            var input = (variant & 4) == 0 ? new Int8Input(3, false) : new Int8Input(-100, true);
            var target = new Requantization { Output = (Int8Output)(variant % 4), Bias = bias.Pointer, Scales = scales.Pointer, IsPerChannel = (variant & 1) == 0, ZeroPoint = variant == 2 ? -5 : 17 };
            using var actual = new NativeBuffer<byte>(outputs * target.ElementBytes);
            using var expected = new NativeBuffer<byte>(outputs * target.ElementBytes);
            Int8Conv2D.PackWeights(shape, weights, packed.Pointer);
            Int8Conv2D.Run(shape, x.Pointer, input, packed.Pointer, target, actual.Pointer, scratch.Pointer);
            Int8Conv2D.Reference(shape, x.Pointer, input, weights, target, expected.Pointer);
            Assert.True(actual.Span.SequenceEqual(expected.Span), $"{path}, variant {variant}");
        }
    });

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(1, 37, 130)]
    [InlineData(13, 33, 5)]
    [InlineData(12, 32, 64)]
    [InlineData(40, 70, 1023)]
    [InlineData(3, 4, 0)]
    [InlineData(0, 4, 3)]
    public void Gemm_EveryPathTypeAndOutput_EqualsReferenceExactly(int m, int n, int k) => Paths.Each(path =>
    {
        using var a = Numbers.Bytes(m * k, 1);
        using var b = Numbers.Bytes(k * n, 2);
        using var zeroPoints = Numbers.Bytes(n, 3);
        using var bias = NativeBuffer<int>.Of(n, i => i * 1001 - 3000);
        using var scales = NativeBuffer<float>.Of(n, i => (0.5f + i % 7) / (400f * MathF.Sqrt(k + 1)));
        using var packed = new NativeBuffer<byte>(Int8Gemm.PackedWeightBytes(n, k));
        using var scratch = new NativeBuffer<byte>(Int8Gemm.ScratchBytes(m, n, k));
        for (int variant = 0; variant < 16; variant++)
        {
            bool transposed = (variant & 8) != 0;
            var weights = new Int8Weights { Data = b.Pointer, IsSigned = (variant & 1) == 0, ZeroPoints = (variant & 2) == 0 ? null : zeroPoints.Pointer, IsPerChannel = true };
            var input = (variant & 4) == 0 ? new Int8Input(3, false) : new Int8Input(-100, true);
            var target = new Requantization { Output = (Int8Output)(variant % 4), Bias = (variant & 4) == 0 ? bias.Pointer : null, Scales = scales.Pointer, IsPerChannel = (variant & 1) == 0, ZeroPoint = variant == 2 ? -5 : 17 };
            using var actual = new NativeBuffer<byte>(m * n * target.ElementBytes);
            using var expected = new NativeBuffer<byte>(m * n * target.ElementBytes);
            var problem = new Int8GemmProblem { M = m, N = n, K = k, A = a.Pointer, StrideA = k, Input = input, PackedB = packed.Pointer, Target = target, C = actual.Pointer, StrideC = n };
            Int8Gemm.PackWeights(weights, transposed ? k : n, transposed, n, k, packed.Pointer);
            Int8Gemm.Run(problem, scratch.Pointer);
            problem.C = expected.Pointer;
            (weights.OuterStride, weights.ChannelStride) = transposed ? (k, 1) : (1, n);
            Int8Gemm.Reference(problem, weights);
            Assert.True(actual.Span.SequenceEqual(expected.Span), $"{path}, variant {variant}");
        }
    });

    [Fact]
    public void Gemm_LargestCodes_DoesNotSaturate() => Paths.Each(path =>
    {
        const int m = 12, n = 32, k = 1024;
        using var a = NativeBuffer<byte>.Of(m * k, _ => 255);
        using var b = NativeBuffer<byte>.Of(k * n, i => i % 2 == 0 ? (byte)127 : unchecked((byte)-128));
        using var packed = new NativeBuffer<byte>(Int8Gemm.PackedWeightBytes(n, k));
        using var scratch = new NativeBuffer<byte>(Int8Gemm.ScratchBytes(m, n, k));
        using var c = new NativeBuffer<int>(m * n);
        Int8Gemm.PackWeights(new Int8Weights { Data = b.Pointer, IsSigned = true }, n, false, n, k, packed.Pointer);
        Int8Gemm.Run(new Int8GemmProblem { M = m, N = n, K = k, A = a.Pointer, StrideA = k, PackedB = packed.Pointer, C = c.Pointer, StrideC = n }, scratch.Pointer);
        for (int i = 0; i < m * n; i++) Assert.True(c.Pointer[i] == k * 255 * (i % 2 == 0 ? 127 : -128), $"{path}, element {i}");
    });

    [Theory]
    [InlineData(5, 0.1f, 0, 0)] // 0.5 rounds to even
    [InlineData(15, 0.1f, 0, 2)]
    [InlineData(25, 0.1f, 10, 12)]
    [InlineData(int.MaxValue, 1f, 3, 255)]
    [InlineData(int.MinValue, 1f, 3, 0)]
    [InlineData(1, float.NaN, 3, 0)]
    [InlineData(1, float.PositiveInfinity, 3, 255)]
    public void Requantize_TiesAndLimits_RoundsHalfToEvenAndSaturates(int sum, float scale, int zeroPoint, byte expected) => Paths.Each(path =>
    {
        using var sums = NativeBuffer<int>.Of(37, _ => sum);
        using var codes = new NativeBuffer<byte>(37);
        using var scales = NativeBuffer<float>.Of(1, _ => scale);
        new Requantizer(new Requantization { Output = Int8Output.UInt8, Scales = scales.Pointer, ZeroPoint = zeroPoint }).Row(sums.Pointer, 37, 0, 0, codes.Pointer);
        Assert.All(codes.Span.ToArray(), code => Assert.Equal(expected, code));
    });

    [Fact]
    public void Active_NothingForced_IsTheBestPath()
    {
        if (!string.IsNullOrEmpty(Environment.GetEnvironmentVariable("FEWBIT_KERNELS"))) return;
        Assert.Equal(KernelPaths.Best, KernelPaths.Active);
    }

    [Fact]
    public void Active_UnsupportedPath_NamesTheBestOne()
    {
        if (KernelPaths.Best == KernelPath.Emitted) return;
        var error = Assert.Throws<PlatformNotSupportedException>(() => KernelPaths.Active = KernelPath.Emitted);
        Assert.Contains(KernelPaths.Best.ToString(), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_ReturnInstruction_RunsWhereMemoryIsGranted()
    {
        if (!ExecutableMemory.IsGranted) return;
        var code = (delegate* unmanaged[SuppressGCTransition]<int>)ExecutableMemory.Load([0xB8, 42, 0, 0, 0, 0xC3]);
        Assert.Equal(42, code());
    }
}
