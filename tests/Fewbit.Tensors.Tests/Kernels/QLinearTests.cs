using Fewbit.Tensors.Kernels;

namespace Fewbit.Tensors.Tests.Kernels;

[Collection(nameof(KernelPathSwitch))]
public sealed unsafe class QLinearTests
{
    private const int Count = 1003;

    /// <summary>Codes that ONNX Runtime 1.30 gives where the rounding of the constant decides.</summary>
    [Theory]
    [InlineData(0.8733417987823486f, 230, 0.03520205244421959f, 229, 0.03660145774483681f, 196, false, 236, 11, 130)]
    [InlineData(0.8733417987823486f, 230, 0.03520205244421959f, 229, 0.03660145774483681f, 196, false, 233, 205, 245)]
    [InlineData(0.004417467396706343f, 218, 0.005523683503270149f, 117, 0.009762405417859554f, 152, false, 244, 37, 119)]
    [InlineData(0.004417467396706343f, 218, 0.005523683503270149f, 117, 0.009762405417859554f, 152, false, 192, 197, 186)]
    [InlineData(0.18121594190597534f, -108, 0.05459636449813843f, -86, 0.00792650319635868f, -109, true, 130, 3, 92)]
    [InlineData(0.5855759978294373f, 134, 0.0065910425037145615f, 19, 0.8823024034500122f, 100, false, 105, 119, 82)]
    public void Add_NearATie_RoundsAsOnnxRuntime(float sa, int za, float sb, int zb, float sc, int zc, bool isSigned, byte a, byte b, byte expected) => Paths.Each(path =>
    {
        using var left = NativeBuffer<byte>.Of(33, _ => a);
        using var right = NativeBuffer<byte>.Of(33, _ => b);
        using var sum = new NativeBuffer<byte>(33);
        QLinear.Add(left.Pointer, new(sa, za), right.Pointer, new(sb, zb), sum.Pointer, new(sc, zc), 33, isSigned, isScalarB: false);
        Assert.All(sum.Span.ToArray(), code => Assert.Equal(expected, code));
    });

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void AddAndMultiply_EveryPath_AreWithinHalfAStepOfTheRealResult(bool isSigned, bool isScalarB) => Paths.Each(path =>
    {
        using var a = Numbers.Bytes(Count, 1);
        using var b = Numbers.Bytes(Count, 2);
        using var sum = new NativeBuffer<byte>(Count);
        using var product = new NativeBuffer<byte>(Count);
        CodeScale sa = new(0.02f, isSigned ? -3 : 120), sb = new(0.05f, isSigned ? 10 : 3), sc = new(0.06f, isSigned ? -20 : 100);
        QLinear.Add(a.Pointer, sa, b.Pointer, sb, sum.Pointer, sc, Count, isSigned, isScalarB);
        QLinear.Multiply(a.Pointer, sa, b.Pointer, sb, product.Pointer, sc, Count, isSigned, isScalarB);
        for (int i = 0; i < Count; i++)
        {
            double x = Real(a.Pointer[i], sa, isSigned), y = Real(b.Pointer[isScalarB ? 0 : i], sb, isSigned);
            Assert.InRange(Real(sum.Pointer[i], sc, isSigned) - Saturated(x + y, sc, isSigned), -0.5001 * sc.Scale, 0.5001 * sc.Scale);
            Assert.InRange(Real(product.Pointer[i], sc, isSigned) - Saturated(x * y, sc, isSigned), -0.5001 * sc.Scale, 0.5001 * sc.Scale);
        }
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Pools_EveryPath_AreWithinHalfAStepOfTheRealMean(bool isSigned) => Paths.Each(path =>
    {
        Conv2DShape window = Conv2DShape.Square(1, 5, 9, 5, 3, stride: 2, pad: 1);
        CodeScale sx = new(0.02f, isSigned ? -3 : 120), sy = new(0.011f, isSigned ? -20 : 100);
        using var x = Numbers.Bytes(5 * 81, 1);
        using var mean = new NativeBuffer<byte>(5);
        using var pooled = new NativeBuffer<byte>(5 * 25);
        QLinear.GlobalAveragePool(x.Pointer, sx, mean.Pointer, sy, 5, 81, isSigned);
        QLinear.AveragePool(window, x.Pointer, sx, pooled.Pointer, sy, isSigned, countsPadding: false, window.OutHeight, window.OutWidth);
        for (int c = 0; c < 5; c++)
        {
            double sum = 0;
            for (int i = 0; i < 81; i++) sum += Real(x.Pointer[c * 81 + i], sx, isSigned);
            Assert.InRange(Real(mean.Pointer[c], sy, isSigned) - Saturated(sum / 81, sy, isSigned), -0.5001 * sy.Scale, 0.5001 * sy.Scale);
            double corner = (Real(x.Pointer[c * 81], sx, isSigned) + Real(x.Pointer[c * 81 + 1], sx, isSigned) + Real(x.Pointer[c * 81 + 9], sx, isSigned) + Real(x.Pointer[c * 81 + 10], sx, isSigned)) / 4;
            Assert.InRange(Real(pooled.Pointer[c * 25], sy, isSigned) - Saturated(corner, sy, isSigned), -0.5001 * sy.Scale, 0.5001 * sy.Scale);
        }
    });

    [Theory]
    [InlineData(0.5f, 0)]
    [InlineData(1.5f, 2)]
    [InlineData(-2.5f, -2)]
    [InlineData(1e30f, 127)]
    [InlineData(-1e30f, -128)]
    [InlineData(float.PositiveInfinity, 127)]
    [InlineData(float.NaN, -128)]
    public void Quantize_Int8_RoundsHalfToEvenAndSaturates(float x, sbyte expected) => Paths.Each(path =>
    {
        using var values = NativeBuffer<float>.Of(37, _ => x);
        using var codes = new NativeBuffer<byte>(37);
        Quantization.Quantize(values.Pointer, codes.Pointer, 37, 1, 0, isSigned: true);
        Assert.All(codes.Span.ToArray(), code => Assert.Equal(expected, (sbyte)code));
    });

    [Theory]
    [InlineData(false, 7)]
    [InlineData(true, -7)]
    public void Dequantize_EveryCode_IsTheReferenceAndQuantizesBack(bool isSigned, int zeroPoint) => Paths.Each(path =>
    {
        using var codes = NativeBuffer<byte>.Of(256, i => (byte)i);
        using var values = new NativeBuffer<float>(256);
        using var back = new NativeBuffer<byte>(256);
        Quantization.Dequantize(codes.Pointer, values.Pointer, 256, 0.037f, zeroPoint, isSigned);
        Quantization.Quantize(values.Pointer, back.Pointer, 256, 0.037f, zeroPoint, isSigned);
        for (int i = 0; i < 256; i++) Assert.Equal(((isSigned ? (sbyte)i : i) - zeroPoint) * 0.037f, values.Pointer[i]);
        Assert.True(codes.Span.SequenceEqual(back.Span));
    });

    [Fact]
    public void Table_EveryCode_IsLookedUp() => Paths.Each(path =>
    {
        using var table = new NativeBuffer<byte>(256);
        using var codes = NativeBuffer<byte>.Of(600, i => (byte)(i * 7));
        using var mapped = new NativeBuffer<byte>(600);
        CodeTable.Build(table.Pointer, 0.1f, 5, 0.2f, 3, isSigned: false, x => MathF.Max(x, 0));
        CodeTable.Apply(codes.Pointer, mapped.Pointer, 600, table.Pointer);
        for (int i = 0; i < 600; i++) Assert.Equal(Quantization.QuantizeReference(MathF.Max(0.1f * (codes.Pointer[i] - 5), 0), 0.2f, 3, false), mapped.Pointer[i]);
    });

    private static double Real(byte code, CodeScale scale, bool isSigned) => ((isSigned ? (sbyte)code : code) - scale.ZeroPoint) * (double)scale.Scale;

    private static double Saturated(double x, CodeScale scale, bool isSigned) =>
        Math.Clamp(x, ((isSigned ? -128 : 0) - scale.ZeroPoint) * (double)scale.Scale, ((isSigned ? 127 : 255) - scale.ZeroPoint) * (double)scale.Scale);
}
