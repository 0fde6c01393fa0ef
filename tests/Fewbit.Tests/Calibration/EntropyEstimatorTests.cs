using Fewbit.Calibration;
using Fewbit.Formats;

namespace Fewbit.Tests.Calibration;

public sealed class EntropyEstimatorTests
{
    private static readonly string[] s_kinds = ["normal", "rectified", "outliers", "two clusters", "sparse", "negative"];

    /// <summary>The divergence as it is defined, bin by bin.</summary>
    private static double Reference((double Middle, double Count)[] bins, double[] edges)
    {
        var kept = bins.Where(bin => bin.Middle >= edges[0] && bin.Middle < edges[^1]).ToList();
        if (kept.Sum(bin => bin.Count) < 0.9 * bins.Sum(bin => bin.Count)) return double.PositiveInfinity;
        double[] p = [.. kept.Select(bin => bin.Count)], q = new double[p.Length];
        p[0] += bins.Where(bin => bin.Middle < edges[0]).Sum(bin => bin.Count);
        p[^1] += bins.Where(bin => bin.Middle >= edges[^1]).Sum(bin => bin.Count);
        var codes = kept.Select((bin, i) => (i, Code: edges[1..^1].Count(edge => bin.Middle >= edge))).GroupBy(pair => pair.Code).ToList();
        foreach (var code in codes)
        {
            foreach ((int i, _) in code) q[i] = code.Average(pair => kept[pair.i].Count);
        }
        double sumP = p.Sum(), sumQ = q.Sum(), chance = (kept.Count - codes.Count) / (2 * sumP);
        return Math.Max(0, p.Zip(q, (x, y) => x / sumP * Math.Log(x / sumP / (y / sumQ))).Sum() - chance);
    }

    private static float[] Values(string kind)
    {
        var random = new Random(7);
        float[] normal = [.. Enumerable.Range(0, 20_000).Select(_ => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];
        return kind switch
        {
            "normal" => normal,
            "rectified" => Array.ConvertAll(normal, value => Math.Max(0, value)),
            "outliers" => [.. normal, 40, -25, 30],
            "two clusters" => [.. normal.Select((value, i) => i % 3 == 0 ? value + 9 : 0.3f * value - 2)],
            "negative" => Array.ConvertAll(normal, value => -MathF.Abs(value) - 0.5f),
            _ => normal[..150],
        };
    }

    private static GrowingHistogram HistogramOf(float[] values)
    {
        var histogram = new GrowingHistogram();
        histogram.Add(values, new(values.Min(), values.Max()));
        return histogram;
    }

    private static ValueRange Estimate(float[] values, NumberFormat format, QuantizationScheme scheme = QuantizationScheme.Affine)
    {
        RangeEstimator estimator = RangeRule.Entropy.CreateEstimator();
        foreach (float[] batch in values.Chunk(3000)) estimator.Observe(batch);
        return estimator.Estimate(format, scheme);
    }

    public static IEnumerable<object[]> Cases => from kind in s_kinds from format in (string[])["uint8", "uint5", "uint4", "uint2", "uint1", "int8 narrow", "int3", "fp8e4m3fn", "fp4e2m1", "pot4"] select new object[] { kind, format };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Of_AnyEdges_EqualsTheDivergenceBinByBin(string kind, string name)
    {
        float[] values = Values(kind);
        var loss = new EntropyLoss(HistogramOf(values));
        NumberFormat format = NumberFormats.Parse(name);
        foreach (float share in (float[])[1, 0.7f, 0.51f, 0.31f, 0.1f])
        {
            (float scale, int zeroPoint) = QuantizationParameters.Fit(new(values.Min() * share, values.Max() * share), format, format.HasSignedCodes ? QuantizationScheme.Symmetric : QuantizationScheme.Affine);
            double[] edges = EntropyEstimator.EdgesOf(format, scale, zeroPoint);
            double expected = Reference([.. loss.Bins], edges), found = loss.Of(edges);
            if (double.IsInfinity(expected)) Assert.Equal(expected, found);
            else Assert.Equal(expected, found, 1e-6);
        }
    }

    [Theory]
    [InlineData("normal", "uint8")]
    [InlineData("rectified", "uint8")]
    [InlineData("outliers", "uint8")]
    [InlineData("two clusters", "uint4")]
    [InlineData("rectified", "uint4")]
    [InlineData("outliers", "uint4")]
    [InlineData("normal", "uint2")]
    public void Estimate_Affine_LosesLittleMoreThanTheBestOfAFineGrid(string kind, string name)
    {
        float[] values = Values(kind);
        NumberFormat format = NumberFormats.Parse(name);
        var loss = new EntropyLoss(HistogramOf(values));
        double Of(ValueRange range)
        {
            (float scale, int zeroPoint) = QuantizationParameters.Fit(range, format, QuantizationScheme.Affine);
            return loss.Of(EntropyEstimator.EdgesOf(format, scale, zeroPoint));
        }

        float[] shares = [.. Enumerable.Range(0, 60).Select(step => MathF.Pow(0.95f, step))];
        double best = (from low in shares from high in shares select Of(new(values.Min() * low, values.Max() * high))).Min(), found = Of(Estimate(values, format));
        Assert.True(found <= 1.1 * best + 1e-4, $"{found} against {best} of the grid");
    }

    [Fact]
    public void Estimate_FarOutliers_AreClipped()
    {
        ValueRange range = Estimate(Values("outliers"), new IntegerFormat(4, false));
        Assert.InRange(range.Max, 2, 20);
        Assert.InRange(range.Min, -15, -2);
    }

    /// <summary>Whatever the bits, nearly all values keep codes of their own: a short range that throws most of them together is worst.</summary>
    [Theory]
    [InlineData("normal")]
    [InlineData("rectified")]
    [InlineData("negative")]
    public void Estimate_AnyBits_KeepsMostValues(string kind)
    {
        float[] values = Values(kind);
        for (int bits = 2; bits <= 8; bits++)
        {
            foreach (QuantizationScheme scheme in Enum.GetValues<QuantizationScheme>())
            {
                var format = new IntegerFormat(bits, scheme == QuantizationScheme.Symmetric);
                (float scale, int zeroPoint) = QuantizationParameters.Fit(Estimate(values, format, scheme), format, scheme);
                double[] edges = EntropyEstimator.EdgesOf(format, scale, zeroPoint);
                // A bin that an edge cuts counts as a whole.
                Assert.InRange(values.Count(value => value < edges[0] || value >= edges[^1]), 0, values.Length / 9);
            }
        }
    }

    /// <summary>Neighbouring bins are joined, and the bin of 0 counts no more than its fuller neighbour.</summary>
    [Fact]
    public void Bins_OfAHistogram_AreJoinedWithoutExtraZeros()
    {
        float[] values = Values("rectified");
        (double Middle, double Count)[] bins = [.. new EntropyLoss(HistogramOf(values)).Bins];
        Assert.InRange(bins.Length, 512, 2048);
        Assert.InRange(bins[0].Count, 0, 2 * bins[1].Count + 100);
        double width = bins[1].Middle - bins[0].Middle;
        foreach ((double middle, double count) in bins.Skip(1)) Assert.Equal(values.Count(value => value >= middle - width / 2 && value < middle + width / 2), count);
    }

    /// <summary>Half of what a Relu leaves is 0, which has a code of its own: it must not shorten the range.</summary>
    [Fact]
    public void Estimate_MoreZeros_ChangeNothing()
    {
        float[] positive = [.. Values("normal").Select(MathF.Abs)];
        foreach (string format in (string[])["uint8", "uint4"])
            Assert.Equal(Estimate(positive, NumberFormats.Parse(format)).Max, Estimate([.. positive, .. new float[60_000]], NumberFormats.Parse(format)).Max, 0.1f);
    }

    [Fact]
    public void Estimate_MoreThan8Bits_ClipsNothing()
    {
        float[] values = Values("outliers");
        Assert.Equal(new ValueRange(values.Min(), values.Max()), Estimate(values, new IntegerFormat(12, false)));
    }

    /// <summary>Nine weights of which two have one value, as in a depthwise layer whose weights were rounded before.</summary>
    [Fact]
    public void Estimate_FewRoundedValues_ClipNothing()
    {
        float[] values = Array.ConvertAll((float[])[-127, 3, 4, 4, 9, 15, -20, 40, 2], value => value * 0.01f);
        Assert.Equal(new ValueRange(values.Min(), values.Max()), Estimate(values, new IntegerFormat(6, true, true), QuantizationScheme.Symmetric));
    }

    [Fact]
    public void Estimate_FewValues_ClipNothing()
    {
        float[] values = Values("sparse");
        Assert.Equal(new ValueRange(values.Min(), values.Max()), Estimate(values, new IntegerFormat(8, true, true), QuantizationScheme.Symmetric));
    }
}
