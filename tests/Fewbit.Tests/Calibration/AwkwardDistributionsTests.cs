using Fewbit.Calibration;
using Fewbit.Formats;

namespace Fewbit.Tests.Calibration;

/// <summary>The range of least squared error, found on a histogram, against the exact search: every pair of ends of a fine grid, each judged on the values themselves.</summary>
public sealed class AwkwardDistributionsTests
{
    private const int Count = 6000;

    public static IEnumerable<object[]> Cases =>
           from kind in (string[])["uniform", "laplace", "cauchy", "log-normal", "two clusters", "few levels", "shifted", "negative", "one far outlier", "spike at 0", "tiny", "huge", "ramp and tail"]
           from bits in (int[])[1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16]
           select new object[] { kind, bits };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Estimate_MeanSquaredErrorAffine_IsWithinAHundredthOfTheExactSearch(string kind, int bits) => Check(kind, new(bits, false), QuantizationScheme.Affine);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Estimate_MeanSquaredErrorSymmetric_IsWithinAHundredthOfTheExactSearch(string kind, int bits) => Check(kind, new(bits, true, bits > 1), QuantizationScheme.Symmetric);

    private static void Check(string kind, IntegerFormat format, QuantizationScheme scheme)
    {
        float[] values = Values(kind);
        ValueRange full = new(values.Min(), values.Max());
        bool hasTwoEnds = scheme == QuantizationScheme.Affine && full is { Min: < 0, Max: > 0 };
        var quantized = new float[values.Length];
        double Error(ValueRange range)
        {
            (float scale, int zeroPoint) = QuantizationParameters.Fit(range, format, scheme);
            AffineQuantizer.FakeQuantize(values, quantized, scale, zeroPoint, format);
            double sum = 0;
            for (int i = 0; i < values.Length; i++) sum += ((double)quantized[i] - values[i]) * ((double)quantized[i] - values[i]);
            return sum;
        }

        float[] ends = [.. Enumerable.Range(0, hasTwoEnds ? 60 : 400).Select(step => MathF.Pow(hasTwoEnds ? 0.93f : 0.985f, step))];
        double best = hasTwoEnds ? (from low in ends from high in ends select Error(new(full.Min * low, full.Max * high))).Min() : ends.Min(end => Error(new(full.Min * end, full.Max * end)));
        RangeEstimator estimator = RangeRule.MeanSquaredError.CreateEstimator();
        foreach (float[] batch in values.Chunk(1000)) estimator.Observe(batch);
        double found = Error(estimator.Estimate(format, scheme));
        Assert.True(found <= best * 1.01, $"{found / best:F4} of the exact search ({best})");
    }

    private static float[] Values(string kind)
    {
        var random = new Random(3);
        double Normal() => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        double Laplace() => Math.Log(1 - random.NextDouble()) * (random.Next(2) * 2 - 1);
        Func<int, double> draw = kind switch
        {
            "uniform" => _ => 3 * random.NextDouble() - 1,
            "laplace" => _ => Laplace(),
            "cauchy" => _ => Math.Tan(Math.PI * (random.NextDouble() - 0.5)),
            "log-normal" => _ => Math.Exp(1.5 * Normal()),
            "two clusters" => i => i % 5 == 0 ? 12 + 0.5 * Normal() : -1 + 0.2 * Normal(),
            "few levels" => _ => random.Next(-3, 9) * 0.37,
            "shifted" => _ => 50 + Normal(),
            "negative" => _ => -Math.Abs(Normal()),
            "one far outlier" => i => i == 77 ? 300 : Normal(),
            "spike at 0" => i => i % 10 == 0 ? Normal() + 1 : 0,
            "tiny" => _ => 1e-20 * Normal(),
            "huge" => _ => 1e20 * Laplace(),
            _ => i => i < 5000 ? i / 5000.0 : -0.1 + 0.02 * i * random.NextDouble(),
        };
        return [.. Enumerable.Range(0, Count).Select(i => (float)draw(i))];
    }
}
