using Fewbit.Formats;
using FsCheck;
using FsCheck.Fluent;

namespace Fewbit.Tests.Formats;

/// <summary>What holds for every format and every number.</summary>
public sealed class NumberFormatPropertiesTests
{
    private static readonly NumberFormat[] s_formats = [.. FormatCases.All];
    private static readonly Config s_config = Config.QuickThrowOnFailure.WithMaxTest(3000).WithReplay(20260101, 1);

    [Fact]
    public void Round_RoundedNumber_StaysAndIsANumberOfTheFormat() => Check((format, zeroPoint, x) =>
    {
        float rounded = format.Round(x, zeroPoint);
        return rounded == format.Round(rounded, zeroPoint) && Array.BinarySearch(format.Numbers(zeroPoint), rounded) >= 0;
    });

    [Fact]
    public void Encode_DecodedNumber_GivesItsCode() => Check((format, zeroPoint, x) =>
    {
        int code = format.Encode(x, zeroPoint);
        // -0 and 0 are one number where both have codes.
        return format.Encode(format.Decode(code, zeroPoint), zeroPoint) == code;
    });

    [Fact]
    public void Round_AnyNumber_IsTheNearest() => Check((format, zeroPoint, x) =>
    {
        float rounded = format.Round(x, zeroPoint);
        Neighbours neighbours = format.NeighboursOf(x, zeroPoint);
        double error = Math.Abs((double)rounded - x), below = Math.Abs((double)neighbours.Below - x), above = Math.Abs((double)neighbours.Above - x);
        bool isNearest = (rounded == neighbours.Below && below <= above) || (rounded == neighbours.Above && above <= below);
        bool isTie = below == above && neighbours.Step > 0 && error == below;
        return isNearest && (!isTie || HasEvenCode(format, rounded, zeroPoint));
    });

    [Fact]
    public void Round_TwoNumbers_KeepsTheirOrder() => Check((format, zeroPoint, x) =>
    {
        float y = x * 0.9f + 0.1f;
        return x <= y ? format.Round(x, zeroPoint) <= format.Round(y, zeroPoint) : format.Round(x, zeroPoint) >= format.Round(y, zeroPoint);
    });

    [Fact]
    public void Neighbours_AnyNumber_EncloseItAndAreAdjacent() => Check((format, zeroPoint, x) =>
    {
        Neighbours neighbours = format.NeighboursOf(x, zeroPoint);
        float[] numbers = format.Numbers(zeroPoint);
        int below = Array.BinarySearch(numbers, neighbours.Below), above = Array.BinarySearch(numbers, neighbours.Above);
        bool isEnd = x >= numbers[^1] || x < numbers[0];
        return below >= 0 && above == (isEnd ? below : below + 1) && (isEnd || (neighbours.Below <= x && x < neighbours.Above && neighbours.FractionOf(x) is >= 0 and <= 1));
    });

    [Fact]
    public void SlopesAt_AnyNumber_AreThoseOfTheRoundedOrTheClampedNumber() => Check((format, zeroPoint, x) =>
    {
        StraightThroughSlopes slopes = format.SlopesAt(x, zeroPoint);
        ValueRange range = format.RangeOf(zeroPoint);
        float rounded = format.Round(x, zeroPoint);
        if (x >= range.Min && x <= range.Max) return slopes == new StraightThroughSlopes(1, rounded - x);
        return slopes == new StraightThroughSlopes(0, rounded) || (format is IntegerFormat && MathF.Abs(rounded - x) <= 0.5f && slopes == new StraightThroughSlopes(1, rounded - x));
    });

    [Theory]
    [MemberData(nameof(FormatCases.AllNames), MemberType = typeof(FormatCases))]
    public void PackAndUnpack_EveryCode_RoundTrips(string name)
    {
        NumberFormat format = NumberFormats.Parse(name);
        int[] codes = [.. format.Numbers().Select(number => format.Encode(number)).Append(format.Encode(0))];
        byte[] packed = format.Pack(codes);
        Assert.Equal((codes.Length * format.BitWidth + 7) / 8, packed.Length);
        var unpacked = new int[codes.Length];
        format.Unpack(packed, unpacked);
        Assert.Equal(codes, unpacked);
        Assert.Throws<ArgumentException>(() => format.Unpack(packed.AsSpan(1), new int[codes.Length]));
    }

    [Theory]
    [MemberData(nameof(FormatCases.AllNames), MemberType = typeof(FormatCases))]
    public void SpanForms_AnyNumbers_EqualTheScalarForms(string name)
    {
        NumberFormat format = NumberFormats.Parse(name);
        var random = new Random(5);
        ValueRange range = format.RangeOf();
        float scale = 0.37f, width = Math.Max(range.Max, -range.Min) * 1.3f * scale;
        float[] values = [.. Enumerable.Range(0, 517).Select(i => (float)(random.NextDouble() - 0.5) * 2 * width * MathF.ScaleB(1, -i % 9)), float.NaN, float.PositiveInfinity, float.NegativeInfinity, -0.0f];
        (int[] codes, float[] reals, float[] decoded) = (new int[values.Length], new float[values.Length], new float[values.Length]);
        format.Quantize(values, codes, scale);
        format.FakeQuantize(values, reals, scale);
        format.Dequantize(codes, decoded, scale);
        Assert.Equal(values.Select(value => format.Encode(value / scale)), codes);
        Assert.Equal(values.Select(value => format.Round(value / scale) * scale), reals);
        Assert.Equal(codes.Select(code => format.Decode(code) * scale), decoded);
    }

    [Theory]
    [MemberData(nameof(FormatCases.AllNames), MemberType = typeof(FormatCases))]
    public void Fit_ARange_ReachesItsEnds(string name)
    {
        NumberFormat format = NumberFormats.Parse(name);
        (float scale, int zeroPoint) = format.Fit(new(-2, 3), QuantizationScheme.Symmetric);
        ValueRange reached = format.RangeOf(zeroPoint);
        // Integers below zero reach one code further than above: the symmetric scale is that of the upper end.
        float end = reached.Max > 0 ? reached.Max * scale : -reached.Min * scale;
        Assert.Equal(3, end, 1e-5f);
    }

    private static void Check(Func<NumberFormat, int, float, bool> property)
    {
        Gen<(NumberFormat, int, float)> cases =
            from format in Gen.Elements(s_formats)
            from part in Gen.Choose(0, 4)
            from level in Gen.Choose(0, 1 << 20)
            from kind in Gen.Choose(0, 3)
            from noise in Gen.Choose(-1_000_000, 1_000_000)
            select Case(format, part, level, kind, noise);
        Prop.ForAll(cases.ToArbitrary(), drawn => property(drawn.Item1, drawn.Item2, drawn.Item3)).Check(s_config);
    }

    // Numbers where it is easy to err: those of the format, half-way between two, beside that, beyond the ends, and any.
    private static (NumberFormat, int, float) Case(NumberFormat format, int part, int level, int kind, int noise)
    {
        (int least, int most) = format.ZeroPoints;
        int zeroPoint = least + (most - least) / 4 * part;
        float[] numbers = format.Numbers(zeroPoint);
        int i = level % numbers.Length;
        float low = numbers[i], middle = i + 1 < numbers.Length ? (float)(((double)low + numbers[i + 1]) / 2) : low;
        float x = kind switch
        {
            0 => low,
            1 => middle,
            2 => noise > 0 ? MathF.BitIncrement(middle) : MathF.BitDecrement(middle),
            _ => noise * 1.3e-6f * Math.Max(numbers[^1], -numbers[0]),
        };
        return (format, zeroPoint, x);
    }

    private static bool HasEvenCode(NumberFormat format, float number, int zeroPoint)
    {
        // A tie of integers goes to the even number: with an odd zero point its code is odd. Floats without a mantissa go up.
        if (format is IntegerFormat) return number % 2 == 0;
        return format is MiniFloatFormat { MantissaBits: 0 } || format.Encode(number, zeroPoint) % 2 == 0;
    }
}
