using Fewbit.Calibration;
using Fewbit.Formats;

namespace Fewbit.Tests.Calibration;

public sealed class RangeEstimatorTests
{
    private static float[] Normal(int count, int seed, double scale = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(scale * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];
    }

    private static RangeEstimator Observe(RangeRule rule, params float[][] batches)
    {
        RangeEstimator estimator = rule.CreateEstimator();
        foreach (float[] batch in batches) estimator.Observe(batch);
        return estimator;
    }

    private static ValueRange Estimate(RangeEstimator estimator, int bits = 8) => estimator.Estimate(new IntegerFormat(bits, false), QuantizationScheme.Affine);

    [Theory]
    [InlineData("minmax")]
    [InlineData("percentile:100")]
    public void Estimate_NothingClipped_EqualsBruteForce(string rule)
    {
        float[][] batches = [Normal(1001, 1), Normal(37, 2, 5), Normal(1, 3)];
        float[] all = [.. batches.SelectMany(batch => batch)];
        Assert.Equal(new ValueRange(all.Min(), all.Max()), Estimate(Observe(RangeRule.Parse(rule), batches)));
    }

    [Theory]
    [InlineData(99.9)]
    [InlineData(95)]
    public void Estimate_Percentile_EqualsBruteForceWithinABin(double percent)
    {
        float[][] batches = [Normal(5000, 1, 0.01), Normal(5000, 2), Normal(20_000, 3, 3)];
        float[] sorted = [.. batches.SelectMany(batch => batch).Order()];
        ValueRange range = Estimate(Observe(RangeRule.Percentile(percent), batches));
        float bin = 2 * (sorted[^1] - sorted[0]) / 2048; // 8192 bins, of which at least a quarter is in use
        int low = (int)Math.Round(sorted.Length * (1 - percent / 100));
        // Any number between two neighbouring values is a percentile.
        Assert.InRange(range.Min, sorted[low - 1] - bin, sorted[low] + bin);
        Assert.InRange(range.Max, sorted[^(low + 1)] - bin, sorted[^low] + bin);
    }

    [Theory]
    [InlineData(8)]
    [InlineData(4)]
    [InlineData(2)]
    public void Estimate_MeanSquaredError_IsNearlyTheBestOfAGrid(int bits)
    {
        float[] values = [.. Normal(20_000, 5), 40];
        var format = new IntegerFormat(bits, false);
        double Error(ValueRange range)
        {
            (float scale, int zeroPoint) = QuantizationParameters.Fit(range, format, QuantizationScheme.Affine);
            return values.Sum(value => Math.Pow(value - AffineQuantizer.FakeQuantize(value, scale, zeroPoint, format), 2));
        }

        double best = double.MaxValue;
        for (float low = 0.1f; low <= 1.001f; low += 0.1f)
        {
            for (float high = 0.02f; high <= 1.001f; high += 0.02f) best = Math.Min(best, Error(new(values.Min() * low, values.Max() * high)));
        }
        double found = Error(Estimate(Observe(RangeRule.MeanSquaredError, values), bits));
        Assert.True(found <= best * 1.05, $"{found} against {best} of the grid");
        Assert.True(found < Error(new(values.Min(), values.Max())));
    }

    /// <summary>The histogram and its prefix sums cost at most a hundredth: against every pair of ends of a fine grid, each judged on the values themselves.</summary>
    [Theory]
    [InlineData("normal", 8)]
    [InlineData("normal", 4)]
    [InlineData("rectified", 8)]
    [InlineData("rectified", 4)]
    [InlineData("rectified", 2)]
    [InlineData("outliers", 8)]
    [InlineData("outliers", 4)]
    public void Estimate_MeanSquaredError_IsWithinAHundredthOfTheExactSearch(string kind, int bits)
    {
        float[] values = Normal(kind == "outliers" ? 19_997 : 20_000, 11);
        if (kind == "rectified") values = Array.ConvertAll(values, value => Math.Max(0, value));
        if (kind == "outliers") values = [.. values, 60, -25, 30];
        var quantized = new float[values.Length];
        double Error(ValueRange range) => SquaredError(values, quantized, range, new(bits, false));

        double best = double.MaxValue;
        float[] lows = kind == "rectified" ? [1] : [.. Enumerable.Range(0, 50).Select(step => MathF.Pow(0.94f, step))], highs = [.. Enumerable.Range(0, kind == "rectified" ? 400 : 80).Select(step => MathF.Pow(kind == "rectified" ? 0.99f : 0.95f, step))];
        foreach (float low in lows)
        {
            foreach (float high in highs) best = Math.Min(best, Error(new(values.Min() * low, values.Max() * high)));
        }
        double found = Error(Estimate(Observe(RangeRule.MeanSquaredError, [.. values.Chunk(3000)]), bits));
        Assert.True(found <= best * 1.01, $"{found} against {best} of the exact search");
    }

    private static double SquaredError(float[] values, float[] quantized, ValueRange range, IntegerFormat format)
    {
        (float scale, int zeroPoint) = QuantizationParameters.Fit(range, format, QuantizationScheme.Affine);
        AffineQuantizer.FakeQuantize(values, quantized, scale, zeroPoint, format);
        double sum = 0;
        for (int i = 0; i < values.Length; i++) sum += ((double)quantized[i] - values[i]) * ((double)quantized[i] - values[i]);
        return sum;
    }

    [Theory]
    [InlineData(8)]
    [InlineData(4)]
    [InlineData(2)]
    public void Estimate_MillionsOfValues_IsWithinAHundredthOfTheExactSearch(int bits)
    {
        float[] values = Array.ConvertAll(Normal(2_500_000, 5), value => Math.Max(0, value));
        var quantized = new float[values.Length];
        double Error(ValueRange range) => SquaredError(values, quantized, range, new(bits, false));

        double best = Enumerable.Range(0, 90).Min(step => Error(new(0, values.Max() * MathF.Pow(0.98f, step))));
        double found = Error(Estimate(Observe(RangeRule.MeanSquaredError, [.. values.Chunk(500_000)]), bits));
        Assert.True(found <= best * 1.01, $"{found} against {best} of the exact search");
    }

    /// <summary>Few values are rounded in vectors, many are looked up.</summary>
    [Theory]
    [InlineData(8, 5000)]
    [InlineData(4, 5000)]
    [InlineData(16, 5000)]
    [InlineData(8, 150)]
    [InlineData(4, 77)]
    [InlineData(2, 9)]
    public void QuantizationError_Grid_EqualsTheSumOverBins(int bits, int count)
    {
        float[] values = Normal(count, 3);
        var histogram = new GrowingHistogram();
        histogram.Add(values, new(values.Min(), values.Max()));
        var format = new IntegerFormat(bits, true);
        foreach ((float scale, int zeroPoint) in ((float, int)[])[(0.02f, 0), (0.4f, -3), (50, 0)])
        {
            double expected = histogram.Filled().Sum(bin => bin.Count * Math.Pow((Math.Clamp(Math.Round(bin.Middle / scale) + zeroPoint, format.Min, format.Max) - zeroPoint) * scale - bin.Middle, 2));
            Assert.Equal(1, new QuantizationError(histogram).Of(scale, zeroPoint, format) / expected, 1e-6);
        }
    }

    /// <summary>Where codes are closer than bins, the error is that of values anywhere within a code.</summary>
    [Theory]
    [InlineData(8)]
    [InlineData(16)]
    public void QuantizationError_CodesFinerThanBins_IsThatOfTheValues(int bits)
    {
        float[] values = Normal(200_000, 3), quantized = new float[values.Length];
        var histogram = new GrowingHistogram();
        histogram.Add(values, new(values.Min(), values.Max()));
        var format = new IntegerFormat(bits, true);
        AffineQuantizer.FakeQuantize(values, quantized, 2e-4f, 5, format);
        double expected = values.Zip(quantized, (x, y) => ((double)x - y) * ((double)x - y)).Sum();
        Assert.Equal(1, new QuantizationError(histogram).Of(2e-4f, 5, format) / expected, 0.02);
    }

    [Fact]
    public void Estimate_MovingAverage_FollowsTheFormula()
    {
        RangeEstimator estimator = Observe(RangeRule.MovingAverage(0.1), [[-1, 1], [-2, 3], [0, 1]]);
        ValueRange range = Estimate(estimator);
        Assert.Equal(-1.1f * 0.9f, range.Min, 1e-6f);
        Assert.Equal(1.2f * 0.9f + 0.1f, range.Max, 1e-6f);
    }

    [Theory]
    [InlineData("minmax")]
    [InlineData("percentile:99.99")]
    [InlineData("mse")]
    [InlineData("entropy")]
    public void Estimate_SameValuesInOtherBatches_IsTheSame(string rule)
    {
        float[] values = [.. Normal(3000, 1, 0.001), .. Normal(3000, 2, 100), .. Normal(3000, 3)];
        RangeEstimator whole = Observe(RangeRule.Parse(rule), values), parts = Observe(RangeRule.Parse(rule), [.. values.Reverse().Chunk(77)]);
        Assert.Equal(Estimate(whole), Estimate(parts));
    }

    [Theory]
    [InlineData("minmax")]
    [InlineData("percentile")]
    [InlineData("mse")]
    [InlineData("entropy")]
    [InlineData("moving-average")]
    public void Observe_NanAndInfinity_AreCountedAndLeftOut(string rule)
    {
        RangeEstimator estimator = Observe(RangeRule.Parse(rule), [float.NaN, 1, float.PositiveInfinity, -1, float.NegativeInfinity], [float.NaN], []);
        Assert.Equal((6L, 2L, 2L), (estimator.Count, estimator.NanCount, estimator.InfinityCount));
        Assert.Equal(new ValueRange(-1, 1), estimator.Observed);
        ValueRange range = Estimate(estimator);
        Assert.InRange(range.Min, -1, -0.9f);
        Assert.InRange(range.Max, 0.9f, 1);
    }

    [Theory]
    [InlineData("minmax")]
    [InlineData("percentile")]
    [InlineData("mse")]
    [InlineData("entropy")]
    [InlineData("moving-average")]
    public void Estimate_ConstantZeroOrNothing_IsFinite(string rule)
    {
        RangeEstimator constant = Observe(RangeRule.Parse(rule), [3, 3, 3]), zero = Observe(RangeRule.Parse(rule), [0, 0]), none = RangeRule.Parse(rule).CreateEstimator();
        Assert.InRange(Estimate(constant).Max, 2.999f, 3.001f);
        Assert.Equal(default, Estimate(zero));
        Assert.Equal(default, Estimate(none));
        Assert.False(none.HasValues);
    }

    [Fact]
    public void Observe_HugeThenTiny_KeepsBothInRange()
    {
        RangeEstimator estimator = Observe(RangeRule.Percentile(100), [1e-30f], [3e38f], [-3e38f]);
        Assert.Equal(new ValueRange(-3e38f, 3e38f), Estimate(estimator));
    }

    [Fact]
    public void ShareOutside_Percentile_IsTheShareClipped()
    {
        RangeEstimator estimator = Observe(RangeRule.Percentile(95), Normal(50_000, 9));
        Assert.Equal(0.1, estimator.ShareOutside(Estimate(estimator))!.Value, 0.005);
    }

    [Theory]
    [InlineData("max")]
    [InlineData("percentile:x")]
    [InlineData("mse:3")]
    public void Parse_UnknownRule_SaysWhatIsExpected(string rule) =>
        Assert.Contains("expected minmax, mse", Assert.Throws<ArgumentException>(() => RangeRule.Parse(rule)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("minmax")]
    [InlineData("mse")]
    [InlineData("entropy")]
    [InlineData("percentile:99.9")]
    [InlineData("moving-average:0.05")]
    public void ToString_Rule_ParsesBack(string rule) => Assert.Equal(rule, RangeRule.Parse(rule).ToString());
}
