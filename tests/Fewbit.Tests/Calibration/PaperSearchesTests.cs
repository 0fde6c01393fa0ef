using Fewbit.Calibration;
using Fewbit.Formats;
using Fewbit.Quantization;
using Fewbit.Tensors;

namespace Fewbit.Tests.Calibration;

public sealed class PaperSearchesTests
{
    private static readonly QuantizationScheme s_affine = QuantizationScheme.Affine;

    private static float[] Normal(int count, int seed, float shift = 0, bool rectified = false)
    {
        var random = new SeededRandom((ulong)seed);
        var values = new float[count];
        foreach (ref float value in values.AsSpan())
        {
            value = (float)random.NextNormal() + shift;
            if (rectified) value = MathF.Max(0, value);
        }
        return values;
    }

    /// <summary>The score as the papers' codes compute it, without any shortcut.</summary>
    private static double Score(float[] values, float scale, int zeroPoint, IntegerFormat format) =>
        values.Sum(value => Math.Pow(Math.Abs((double)value - AffineQuantizer.FakeQuantize(value, scale, zeroPoint, format)), 2.4));

    private static (float Scale, int ZeroPoint) Parameters(double min, double max, IntegerFormat format)
    {
        (min, max) = (Math.Min(min, 0), Math.Max(max, 0));
        double scale = Math.Max((max - min) / format.Max, 1e-8);
        return ((float)scale, (int)Math.Clamp(-Math.Round(min / scale), 0, format.Max));
    }

    private static (float Scale, int ZeroPoint) BestOf(float[] values, IntegerFormat format, IEnumerable<(double Min, double Max)> ranges)
    {
        (float Scale, int ZeroPoint) best = default;
        double least = 1e10;
        foreach ((double min, double max) in ranges)
        {
            (float scale, int zeroPoint) = Parameters(min, max, format);
            double score = Score(values, scale, zeroPoint, format) / values.Length;
            if (score < least) (best, least) = ((scale, zeroPoint), score);
        }
        return best;
    }

    private static IEnumerable<(double, double)> BrecqRanges(float[] values) => Enumerable.Range(0, 80).Select(i => (values.Min() * (1 - 0.01 * i), values.Max() * (1 - 0.01 * i)));

    private static IEnumerable<(double, double)> QDropRanges(float[] values, IntegerFormat format)
    {
        (double min, double max) = (values.Min(), values.Max());
        if (min >= 0 || max <= 0)
        {
            double limit = Math.Max(Math.Abs(min), max);
            return Enumerable.Range(1, 100).Select(i => min >= 0 ? (0.0, limit / 100 * i) : (-limit / 100 * i, 0.0));
        }
        return Enumerable.Range(1, 100).SelectMany(i => Enumerable.Range(0, format.Max + 1).Select(zeroPoint =>
        {
            double length = (max - min) / 100 * i, delta = length / format.Max;
            return (-zeroPoint * delta, length - zeroPoint * delta);
        }));
    }

    private static (float Scale, int ZeroPoint) Found(RangeRule rule, float[] values, IntegerFormat format)
    {
        RangeEstimator estimator = rule.CreateEstimator();
        estimator.Observe(values.AsSpan(0, values.Length / 2));
        estimator.Observe(values.AsSpan(values.Length / 2));
        return estimator.Fit(format, s_affine);
    }

    private static void AssertSame((float Scale, int ZeroPoint) expected, (float Scale, int ZeroPoint) actual)
    {
        Assert.Equal(expected.ZeroPoint, actual.ZeroPoint);
        // Candidates are at least 1 % of the shortest range apart.
        Assert.InRange(actual.Scale / expected.Scale, 1 - 1e-5f, 1 + 1e-5f);
    }

    [Theory]
    [InlineData(1, 300, 0f, false)]
    [InlineData(2, 577, 0.3f, false)]
    [InlineData(4, 1000, -0.5f, false)]
    [InlineData(2, 50_000, 0.2f, true)]
    [InlineData(2, 40_001, 0f, false)]
    [InlineData(3, 60, 5f, false)]  // all above 0
    [InlineData(3, 60, -5f, false)] // all below 0
    public void Fit_Search_EqualsScalarReference(int bits, int count, float shift, bool rectified)
    {
        var format = new IntegerFormat(bits, false);
        float[] values = Normal(count, bits + count, shift, rectified);
        AssertSame(BestOf(values, format, BrecqRanges(values)), Found(RangeRule.Brecq, values, format));
        AssertSame(BestOf(values, format, QDropRanges(values, format)), Found(RangeRule.QDrop, values, format));
    }

    [Fact]
    public void Fit_SymmetricFormat_HasZeroPoint0()
    {
        IntegerFormat format = IntegerFormat.Int8 with { IsNarrow = true };
        float[] values = Normal(500, 3);
        foreach (RangeRule rule in (RangeRule[])[RangeRule.Brecq, RangeRule.QDrop])
        {
            RangeEstimator estimator = rule.CreateEstimator();
            estimator.Observe(values);
            (float scale, int zeroPoint) = estimator.Fit(format, QuantizationScheme.Symmetric);
            Assert.Equal(0, zeroPoint);
            Assert.InRange(scale * 127, 0.5f * values.Max(MathF.Abs), 1.0001f * values.Max(MathF.Abs));
        }
    }

    [Fact]
    public void FitChannels_QDrop_JudgesSidesByTheWholeWeight()
    {
        // The first channel is above 0; the weight is not, so its zero point is searched too and a range that excludes the low values may win.
        float[] positive = [.. Normal(200, 5).Select(value => MathF.Abs(value) + 2)], both = Normal(200, 6);
        var format = new IntegerFormat(2, false);
        Tensor weight = Tensor.From<float>([.. positive, .. both], [2, 200]);
        QuantizationParameters fitted = WeightQuantizer.FitChannels(weight, 0, format, RangeRule.QDrop);
        double length = positive.Max();
        var twoSided = Enumerable.Range(1, 100).SelectMany(i => Enumerable.Range(0, 4).Select(zeroPoint => (-zeroPoint * length / 100 * i / 3, length / 100 * i * (3 - zeroPoint) / 3)));
        AssertSame(BestOf(positive, format, twoSided), (fitted.Scales[0], fitted.ZeroPoints[0]));
        AssertSame(BestOf(both, format, QDropRanges(both, format)), (fitted.Scales[1], fitted.ZeroPoints[1]));
    }

    [Fact]
    public void FitChannels_ZeroChannel_KeepsAUsableScale()
    {
        foreach (RangeRule rule in (RangeRule[])[RangeRule.Brecq, RangeRule.QDrop])
        {
            QuantizationParameters fitted = WeightQuantizer.FitChannels(Tensor.From<float>(new float[4], [2, 2]), 0, new IntegerFormat(2, false), rule);
            Assert.Equal([1f, 1f], fitted.Scales.ToArray());
        }
    }

    [Fact]
    public unsafe void Sum_Vectors_EqualReference()
    {
        float[] values = [.. Normal(4096, 9), .. new float[16], 1e-20f, -1e-20f, 1e6f, -1e6f, .. new float[12]];
        foreach ((float scale, float low, float high) in ((float, float, float)[])[(0.3f, -2, 1), (0.01f, 0, 255), (5, -128, 127)])
        {
            double expected = values.Sum(value => PowerError.Reference(value, scale, low, high));
            fixed (float* x = values) Assert.InRange(PowerError.Sum(x, values.Length, scale, low, high) / expected, 1 - 2e-6, 1 + 2e-6);
            double inner = values.Take(4096).Sum(value => PowerError.Reference(value, scale, low, high));
            fixed (float* x = values) Assert.InRange(PowerError.Sum(x, 4096, scale, low, high) / inner, 1 - 2e-6, 1 + 2e-6);
        }
    }
}
