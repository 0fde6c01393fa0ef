using Fewbit.Formats;
using Fewbit.Tensors;

namespace Fewbit.Tests.Formats;

public sealed class LevelFormatTests
{
    // Counts, ends and least steps of the published grids.
    [Theory]
    [InlineData("fp8e4m3finite", 255, 480, 1 / 512.0)]
    [InlineData("fp8e5m2finite", 255, 114688, 1 / 65536.0)]
    [InlineData("fp6e3m2", 63, 28, 0.0625)]
    [InlineData("fp6e2m3", 63, 7.5, 0.125)]
    [InlineData("fp4e2m1", 15, 6, 0.5)]
    [InlineData("fp4e1m2", 15, 3.5, 0.5)]
    [InlineData("fp4e3m0", 15, 16, 0.25)]
    [InlineData("fp8e4m3fn", 253, 448, 1 / 512.0)]
    [InlineData("fp8e4m3fnuz", 255, 240, 1 / 1024.0)]
    [InlineData("fp8e5m2", 247, 57344, 1 / 65536.0)]
    [InlineData("fp8e4m3", 239, 240, 1 / 512.0)]
    [InlineData("fp8e4m3fnb11", 253, 28, 1 / 8192.0)]
    public void Numbers_MiniFloat_AreThePublishedGrid(string name, int count, double highest, double least)
    {
        float[] numbers = NumberFormats.Parse(name).Numbers();
        Assert.Equal(count, numbers.Length);
        Assert.Equal(highest, numbers[^1]);
        Assert.Equal(least, numbers.First(number => number > 0));
        Assert.Equal(numbers, numbers.Select(number => -number).Reverse());
    }

    [Fact]
    public void Round_OneExponentBit_EqualsSymmetricIntegers()
    {
        (NumberFormat small, NumberFormat integers) = (NumberFormats.Parse("fp4e1m2"), NumberFormats.Parse("int4 narrow"));
        var random = new Random(2);
        for (int i = 0; i < 1000; i++)
        {
            float x = (float)(random.NextDouble() - 0.5) * 20;
            Assert.Equal(integers.Round(x), small.Round(x / 2) * 2);
        }
    }

    [Theory]
    [InlineData("fp8e4m3fn", ElementType.Float8E4M3FN)]
    [InlineData("fp8e4m3fnuz", ElementType.Float8E4M3FNUZ)]
    [InlineData("fp8e5m2", ElementType.Float8E5M2)]
    [InlineData("fp8e5m2fnuz", ElementType.Float8E5M2FNUZ)]
    [InlineData("fp4e2m1", ElementType.Float4E2M1)]
    [InlineData("int2", ElementType.Int2)]
    [InlineData("uint4", ElementType.UInt4)]
    [InlineData("int16", ElementType.Int16)]
    [InlineData("fp8e4m3", null)]
    [InlineData("fp8e4m3fnb8", null)]
    [InlineData("int3", null)]
    [InlineData("apot4", null)]
    public void OnnxType_Format_IsTheTypeOfTheSameCodes(string name, ElementType? type) => Assert.Equal(type, NumberFormats.Parse(name).OnnxType);

    // The tables of the paper's code.
    [Theory]
    [InlineData("uapot2", new double[] { 0, 1 / 4.0, 1 / 2.0, 1 })]
    [InlineData("apot3", new double[] { -1, -1 / 2.0, -1 / 4.0, 0, 1 / 4.0, 1 / 2.0, 1 })]
    [InlineData("uapot3", new double[] { 0, .1, .2, .3, .4, .6, .8, 1 })]
    [InlineData("uapot4", new double[] { 0, 1 / 48.0, 1 / 24.0, .0625, 1 / 12.0, .125, 1 / 6.0, .1875, .25, 1 / 3.0, .375, .5, 2 / 3.0, .6875, .75, 1 })]
    [InlineData("pot3", new double[] { -1, -1 / 2.0, -1 / 4.0, 0, 1 / 4.0, 1 / 2.0, 1 })]
    [InlineData("upot3", new double[] { 0, 1 / 64.0, 1 / 32.0, 1 / 16.0, 1 / 8.0, 1 / 4.0, 1 / 2.0, 1 })]
    public void Numbers_PowersOfTwo_AreThoseOfThePaper(string name, double[] expected) =>
        Assert.Equal(expected.Select(number => (float)number), NumberFormats.Parse(name).Numbers());

    [Theory]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public void Numbers_AdditivePowers_AreSumsOfAFewPowers(int bits)
    {
        double[] numbers = [.. NumberFormats.Parse($"uapot{bits}").Numbers().Select(number => (double)number)];
        int terms = (bits + 1) / 2;
        // The highest is 2^-1 + 2^-2 + ...: numbers are multiples of its inverse. 2^-14 is the least power.
        double highest = 1 - Math.ScaleB(1, -(bits / 2)) + (bits % 2 == 1 ? Math.ScaleB(1, -1 - 2 * (bits / 2)) : 0);
        Assert.Equal(1 << bits, numbers.Distinct().Count());
        foreach (double number in numbers)
        {
            double sum = number * highest * (1 << 14);
            Assert.Equal(Math.Round(sum), sum, 1e-2);
            Assert.True(System.Numerics.BitOperations.PopCount((uint)Math.Round(sum)) <= terms, $"{number}");
        }
    }

    [Fact]
    public void Equals_FormatsOfTheSameParts_AreEqual()
    {
        foreach (string name in FormatCases.Levels.Concat(FormatCases.Integers))
        {
            (NumberFormat a, NumberFormat b) = (NumberFormats.Parse(name), NumberFormats.Parse(name));
            // A table that has been made does not count.
            Assert.Equal(a.Round(0.3f), a.Round(0.3f));
            Assert.Equal(a, b);
            Assert.Equal(a.GetHashCode(), b.GetHashCode());
        }
        Assert.Equal(FormatCases.All.Count(), FormatCases.All.Distinct().Count());
    }
}
