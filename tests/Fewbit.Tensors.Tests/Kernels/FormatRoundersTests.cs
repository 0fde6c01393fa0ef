using Fewbit.Tensors.Kernels;

namespace Fewbit.Tensors.Tests.Kernels;

[Collection(nameof(KernelPathSwitch))]
public sealed unsafe class FormatRoundersTests
{
    private static readonly float[] s_scales = [0.1f, 1, 3e-39f];

    [Theory]
    [InlineData(4, 3, 7, SpecialCodes.OneNaN)]
    [InlineData(4, 3, 8, SpecialCodes.NegativeZero)]
    [InlineData(5, 2, 15, SpecialCodes.Ieee)]
    [InlineData(2, 1, 1, SpecialCodes.None)]
    [InlineData(1, 2, 0, SpecialCodes.None)]
    [InlineData(3, 0, 3, SpecialCodes.None)]
    [InlineData(7, 0, 28, SpecialCodes.NegativeZero)]
    [InlineData(1, 6, 121, SpecialCodes.None)]
    public void SmallFloat_AnyPath_EqualsTheScalarForm(int exponentBits, int mantissaBits, int bias, SpecialCodes special)
    {
        var format = new SmallFloat(exponentBits, mantissaBits, bias, special);
        float[] x = Inputs(Enumerable.Range(0, format.Largest + 1).Select(code => format.Decode(code)));
        int inner = x.Length / s_scales.Length;
        float[] expected = [.. x.Select((value, i) => SmallFloatRounder.Reference(format, value, s_scales[i / inner]))];
        int[] expectedCodes = [.. x.Select(value => format.Encode(value / 0.1f))];
        Paths.Each(path =>
        {
            (float[] y, int[] codes) = (new float[x.Length], new int[x.Length]);
            fixed (float* from = x, to = y) SmallFloatRounder.Run(format, from, to, s_scales.Length, inner, s_scales);
            SmallFloatRounder.Codes(format, x, codes, 0.1f);
            AssertSame(x, expected, y, $"{path}");
            Assert.Equal(expectedCodes, codes);
        });
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(16)]
    [InlineData(31)]
    [InlineData(255)]
    public void Levels_AnyPath_EqualsTheScalarForm(int count)
    {
        float[] levels = [.. Enumerable.Range(0, count).Select(i => (i - count / 3) * 0.25f * (1 + i % 3 * 0.001f))];
        var table = new LevelTable(levels, [.. Enumerable.Range(0, count)]);
        float[] x = Inputs(levels);
        int inner = x.Length / s_scales.Length;
        float[] expected = [.. x.Select((value, i) => LevelRounder.Reference(table, value, s_scales[i / inner]))];
        int[] expectedCodes = [.. x.Select(value => Nearest(levels, value / 0.1f))];
        Paths.Each(path =>
        {
            (float[] y, int[] codes) = (new float[x.Length], new int[x.Length]);
            fixed (float* from = x, to = y) LevelRounder.Run(table, from, to, s_scales.Length, inner, s_scales);
            LevelRounder.Codes(table, x, codes, 0.1f);
            AssertSame(x, expected, y, $"{path}");
            Assert.Equal(expectedCodes, codes);
        });
    }

    // By distance in float64, which is exact here, half-way to the even place.
    private static int Nearest(float[] levels, float number)
    {
        if (float.IsNaN(number)) return Array.IndexOf(levels, levels.MinBy(MathF.Abs));
        int best = 0;
        for (int i = 1; i < levels.Length; i++)
        {
            double gain = Math.Abs((double)number - levels[best]) - Math.Abs((double)number - levels[i]);
            if (gain > 0 || (gain == 0 && i % 2 == 0) || number == float.PositiveInfinity) best = i;
        }
        return best;
    }

    /// <summary>Numbers at the edges for each scale, and random ones; as many for each.</summary>
    private static float[] Inputs(IEnumerable<float> levels)
    {
        float[] magnitudes = [.. levels];
        var random = new SeededRandom(3);
        List<float> x = [];
        foreach (float scale in s_scales)
        {
            x.AddRange([float.NaN, float.PositiveInfinity, float.NegativeInfinity, 0, -0.0f, float.Epsilon, -float.Epsilon, float.MaxValue, -1e-38f]);
            foreach ((float a, float b) in magnitudes.Zip(magnitudes.Skip(1).Append(2 * magnitudes[^1])))
            {
                float middle = (float)(((double)a + b) / 2) * scale;
                x.AddRange([a * scale, middle, -middle, MathF.BitIncrement(middle), MathF.BitDecrement(middle)]);
            }
            for (int i = 0; i < 301; i++) x.Add((float)random.NextNormal() * magnitudes[^1] * scale * MathF.ScaleB(1, -i % 12));
        }
        return [.. x];
    }

    private static void AssertSame(float[] x, float[] expected, float[] actual, string path)
    {
        for (int i = 0; i < x.Length; i++)
        {
            bool isSame = float.IsNaN(expected[i]) ? float.IsNaN(actual[i]) : BitConverter.SingleToInt32Bits(expected[i]) == BitConverter.SingleToInt32Bits(actual[i]);
            Assert.True(isSame, $"{path}: {x[i]:R} at {i} gives {actual[i]:R}, expected {expected[i]:R}");
        }
    }
}
