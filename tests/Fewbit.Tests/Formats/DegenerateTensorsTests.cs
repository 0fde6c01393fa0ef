using Fewbit.Formats;
using Fewbit.Tensors;

namespace Fewbit.Tests.Formats;

/// <summary>Tensors that formulas stumble over, in every format.</summary>
public sealed class DegenerateTensorsTests
{
    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string name in FormatCases.Integers.Concat(FormatCases.Levels))
            {
                foreach (string tensor in (string[])["zeros", "constant", "one element", "no element", "denormal", "huge", "negative zeros"]) cases.Add(name, tensor);
            }
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void FakeQuantize_DegenerateTensor_GivesFiniteNumbersNoFartherThanAStep(string name, string tensor)
    {
        NumberFormat format = NumberFormats.Parse(name);
        Tensor values = Tensor.From(Values(tensor), [Values(tensor).Length]);
        foreach (QuantizationScheme scheme in Enum.GetValues<QuantizationScheme>())
        {
            QuantizationParameters parameters = QuantizationParameters.FitTensor(RangeOf(values), format, scheme);
            Assert.True(float.IsNormal(parameters.Scale) && parameters.Scale > 0, $"scale {parameters.Scale}");
            float[] faked = AffineQuantizer.FakeQuantize(values, parameters).Span<float>().ToArray();
            Tensor codes = AffineQuantizer.Quantize(values, parameters);
            Assert.Equal(format.StorageType, codes.Type);
            Assert.Equal(faked, AffineQuantizer.Dequantize(codes, parameters).Span<float>().ToArray());
            ValueRange range = parameters.RangeOf();
            foreach ((float value, float fake) in values.Span<float>().ToArray().Zip(faked))
            {
                Assert.True(float.IsFinite(fake) && fake >= range.Min && fake <= range.Max, $"{value} -> {fake}");
                if (value == 0) Assert.Equal(0, fake);
            }
        }
    }

    [Theory]
    [MemberData(nameof(FormatCases.AllNames), MemberType = typeof(FormatCases))]
    public void Quantize_NaNAndInfinity_SaturateAndNaNIsNotHidden(string name)
    {
        NumberFormat format = NumberFormats.Parse(name);
        Tensor values = Tensor.From<float>([float.NaN, float.PositiveInfinity, float.NegativeInfinity], [3]);
        var parameters = new QuantizationParameters(format, 0.5f);
        ValueRange range = parameters.RangeOf();
        Assert.Equal([float.NaN, range.Max, range.Min], AffineQuantizer.FakeQuantize(values, parameters).Span<float>().ToArray());
        float decoded = AffineQuantizer.Dequantize(AffineQuantizer.Quantize(values, parameters), parameters).Span<float>()[0];
        // A format without NaN gives it the code of 0.
        Assert.True(float.IsNaN(decoded) || decoded == 0, $"NaN gives {decoded}");
        Assert.Throws<ArgumentException>(() => format.NeighboursOf(float.NaN));
    }

    [Theory]
    [InlineData("int8")]
    [InlineData("fp8e4m3fn")]
    [InlineData("apot4")]
    public void FakeQuantize_DenormalScale_StaysFinite(string name)
    {
        var parameters = new QuantizationParameters(NumberFormats.Parse(name), float.Epsilon);
        float[] faked = AffineQuantizer.FakeQuantize(Tensor.From<float>([0, float.Epsilon, 1, -1, float.MaxValue], [5]), parameters).Span<float>().ToArray();
        ValueRange range = parameters.RangeOf();
        Assert.Equal([0, float.Epsilon, range.Max, range.Min, range.Max], faked);
    }

    [Theory]
    [InlineData("fp6e3m2")]
    [InlineData("apot4")]
    [InlineData("pot4")]
    public void FakeQuantize_PerChannel_TakesTheScaleOfEachChannel(string name)
    {
        NumberFormat format = NumberFormats.Parse(name);
        var random = new Random(4);
        float[] values = [.. Enumerable.Range(0, 2 * 3 * 21).Select(_ => (float)random.NextDouble() * 2 - 1)];
        float[] scales = [0.01f, 0.3f, 1];
        Tensor tensor = Tensor.From(values, [2, 3, 21]);
        var parameters = new QuantizationParameters(format, Granularity.PerChannel(1), scales, [0, 0, 0]);
        float[] expected = [.. values.Select((value, i) => format.Round(value / scales[i / 21 % 3]) * scales[i / 21 % 3])];
        Assert.Equal(expected, AffineQuantizer.FakeQuantize(tensor, parameters).Span<float>().ToArray());
        Assert.Equal(expected, AffineQuantizer.Dequantize(AffineQuantizer.Quantize(tensor, parameters), parameters).Span<float>().ToArray());
    }

    [Fact]
    public void Constructor_WrongParameters_AreRefused()
    {
        NumberFormat format = NumberFormats.Parse("fp4e2m1");
        Assert.Throws<ArgumentOutOfRangeException>(() => new QuantizationParameters(format, 1, 1));
        foreach (float scale in (float[])[0, -1, float.NaN, float.PositiveInfinity]) Assert.Throws<ArgumentOutOfRangeException>(() => new QuantizationParameters(format, scale));
        InvalidOperationException e = Assert.Throws<InvalidOperationException>(() => new QuantizationParameters(format, 1).Format);
        Assert.Equal("the numbers are fp4e2m1, expected integers: their codes cannot be computed with", e.Message);
    }

    private static float[] Values(string tensor) => tensor switch
    {
        "zeros" => new float[37],
        "constant" => [.. Enumerable.Repeat(-0.3f, 37)],
        "one element" => [0.7f],
        "no element" => [],
        "denormal" => [.. Enumerable.Range(-18, 37).Select(i => i * 1e-42f)],
        "huge" => [.. Enumerable.Range(-18, 37).Select(i => i / 18.0f * 1e38f)],
        _ => [.. Enumerable.Repeat(-0.0f, 37)],
    };

    private static ValueRange RangeOf(Tensor values)
    {
        Span<float> span = values.Span<float>();
        return span.IsEmpty ? new(0, 0) : new(System.Numerics.Tensors.TensorPrimitives.Min<float>(span), System.Numerics.Tensors.TensorPrimitives.Max<float>(span));
    }
}
