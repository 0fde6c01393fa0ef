using Fewbit.Formats;
using Fewbit.Tensors;

namespace Fewbit.Tests.Formats;

public sealed class AffineQuantizerTests
{
    [Theory]
    [InlineData(0.5f, 0)]
    [InlineData(1.5f, 2)]
    [InlineData(-2.5f, -2)]
    [InlineData(1e30f, 127)]
    [InlineData(-1e30f, -128)]
    [InlineData(float.PositiveInfinity, 127)]
    [InlineData(float.NegativeInfinity, -128)]
    [InlineData(float.NaN, 0)]
    public void Quantize_Int8_RoundsHalfToEvenAndSaturates(float value, int code) => Assert.Equal(code, AffineQuantizer.Quantize(value, 1, 0, IntegerFormat.Int8));

    [Theory]
    [InlineData(8, false, false)]
    [InlineData(8, true, true)]
    [InlineData(3, false, false)]
    [InlineData(16, true, false)]
    [InlineData(1, false, false)]
    public void Quantize_Span_EqualsScalar(int bits, bool isSigned, bool isNarrow)
    {
        var format = new IntegerFormat(bits, isSigned, isNarrow);
        var random = new Random(7);
        float[] values = [.. Enumerable.Range(0, 1003).Select(_ => (float)(random.NextDouble() - 0.5) * 3 * format.Max)];
        (values[0], values[1], values[2], values[3], values[1002]) = (float.NaN, float.PositiveInfinity, float.NegativeInfinity, -0.0f, float.NaN);
        for (int i = 4; i < 60; i++) values[i] = (i - 30) * 0.5f * 0.37f; // ties
        int zeroPoint = isSigned ? 0 : format.Max / 3;
        var codes = new int[values.Length];
        var reals = new float[values.Length];
        AffineQuantizer.Quantize(values, codes, 0.37f, zeroPoint, format);
        AffineQuantizer.FakeQuantize(values, reals, 0.37f, zeroPoint, format);
        Assert.Equal(values.Select(value => AffineQuantizer.Quantize(value, 0.37f, zeroPoint, format)), codes);
        Assert.Equal(values.Select(value => AffineQuantizer.FakeQuantize(value, 0.37f, zeroPoint, format)), reals);
    }

    [Fact]
    public void Dequantize_AfterQuantizeInsideRange_ErrsByAtMostHalfAStep()
    {
        var random = new Random(1);
        for (int i = 0; i < 1000; i++)
        {
            float value = (float)random.NextDouble() * 10 - 3;
            QuantizationParameters parameters = QuantizationParameters.FitTensor(new(-3, 7), IntegerFormat.UInt8, QuantizationScheme.Affine);
            float real = AffineQuantizer.FakeQuantize(value, parameters.Scale, parameters.ZeroPoint, parameters.Format);
            // The zero point is rounded to a code, so an end of the range may move by half a step more.
            bool isAtEnd = value < parameters.RangeOf().Min || value > parameters.RangeOf().Max;
            Assert.True(MathF.Abs(real - value) <= parameters.Scale * (isAtEnd ? 1.0f : 0.50001f), $"{value} -> {real}");
        }
    }

    [Fact]
    public void Quantize_TensorPerChannel_UsesTheScaleOfEachChannel()
    {
        var parameters = new QuantizationParameters(IntegerFormat.Int8, Granularity.PerChannel(1), [1, 0.5f], [0, 0]);
        Tensor codes = AffineQuantizer.Quantize(Tensor.From<float>([1, 1, 2, 2], [2, 2, 1]), parameters);
        Assert.Equal(ElementType.Int8, codes.Type);
        Assert.Equal([1, 2, 2, 4], codes.Span<sbyte>().ToArray().Select(code => (int)code));
        Assert.Equal([1f, 1f, 2f, 2f], AffineQuantizer.Dequantize(codes, parameters).Span<float>().ToArray());
    }

    [Theory]
    [InlineData(0, 6, 6f / 255, 0)]
    [InlineData(-1, 1, 2f / 255, 127)]
    [InlineData(2, 4, 4f / 255, 0)]
    [InlineData(-4, -2, 4f / 255, 255)]
    [InlineData(0, 0, 1, 0)]
    [InlineData(0, 1e-40f, 1, 0)]
    public void Fit_UInt8Affine_HoldsZero(float min, float max, float scale, int zeroPoint) =>
        Assert.Equal((scale, zeroPoint), QuantizationParameters.Fit(new(min, max), IntegerFormat.UInt8, QuantizationScheme.Affine));

    [Theory]
    [InlineData(-2, 1, 2f / 127, 0)]
    [InlineData(0, 0, 1, 0)]
    public void Fit_Int8Symmetric_ReachesTheLargestMagnitude(float min, float max, float scale, int zeroPoint) =>
        Assert.Equal((scale, zeroPoint), QuantizationParameters.Fit(new(min, max), new IntegerFormat(8, true, true), QuantizationScheme.Symmetric));

    [Theory]
    [InlineData("int8", -128, 127)]
    [InlineData("uint4", 0, 15)]
    [InlineData("int2", -2, 1)]
    [InlineData("uint1", 0, 1)]
    [InlineData("int16", -32768, 32767)]
    public void Parse_Name_GivesTheCodes(string name, int min, int max)
    {
        IntegerFormat format = IntegerFormat.Parse(name);
        Assert.Equal((min, max, name), (format.Min, format.Max, format.Name));
    }

    [Theory]
    [InlineData("int17")]
    [InlineData("int0")]
    [InlineData("float8")]
    [InlineData("")]
    public void Parse_UnknownName_SaysWhatIsExpected(string name) =>
        Assert.Contains("expected int1 to int16", Assert.Throws<ArgumentException>(() => IntegerFormat.Parse(name)).Message, StringComparison.Ordinal);

    [Fact]
    public void Parameters_ZeroPointOutsideFormat_Throws() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new QuantizationParameters(new IntegerFormat(4, false), 1, 16));
}
