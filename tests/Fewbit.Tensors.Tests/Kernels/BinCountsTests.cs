using Fewbit.Tensors.Kernels;

namespace Fewbit.Tensors.Tests.Kernels;

[Collection(nameof(KernelPathSwitch))]
public sealed class BinCountsTests
{
    private static float[] Values(int count, bool isRectified)
    {
        var random = new SeededRandom((ulong)count);
        var values = new float[count];
        foreach (ref float value in values.AsSpan()) value = (float)random.NextNormal();
        if (!isRectified) return values;
        foreach (ref float value in values.AsSpan()) value = Math.Max(0, value);
        return values;
    }

    private static long[] Reference(float[] values, float inverseWidth, int firstBin)
    {
        var counts = new long[BinCounts.Bins];
        foreach (float value in values) counts[(int)Math.Floor((double)value * inverseWidth) - firstBin]++;
        return counts;
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(15, true)]
    [InlineData(16, false)]
    [InlineData(257, true)]
    [InlineData(4099, false)]
    [InlineData(70_001, true)]
    [InlineData(400_003, false)]
    public void TryAdd_AnyPath_CountsAsTheReference(int count, bool isRectified)
    {
        float[] values = Values(count, isRectified);
        values[0] = -0f;
        Paths.Each(path =>
        {
            var counts = new long[BinCounts.Bins];
            for (int round = 0; round < 2; round++) Assert.True(BinCounts.TryAdd(values, 256, -4096, default, counts, out float min, out float max, out _) && min == values.Min() && max == values.Max());
            Assert.Equal(Array.ConvertAll(Reference(values, 256, -4096), once => 2 * once), counts);
        });
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    [InlineData(16f)]
    [InlineData(-16.001f)]
    [InlineData(3e38f)]
    public void TryAdd_ValueOutside_AddsNothing(float value)
    {
        Paths.Each(path =>
        {
            foreach (int place in (int[])[0, 70_000, 99_999])
            {
                float[] values = Values(100_000, false);
                values[place] = value;
                var counts = new long[BinCounts.Bins];
                Assert.False(BinCounts.TryAdd(values, 256, -4096, default, counts, out _, out _, out _));
                Assert.DoesNotContain(counts, count => count != 0);
                values[place] = 1;
                Assert.True(BinCounts.TryAdd(values, 256, -4096, default, counts, out _, out _, out _));
                Assert.Equal(Reference(values, 256, -4096), counts);
            }
        });
    }

    [Fact]
    public void TryAdd_SampledBins_KeepsTailsAndZerosExact()
    {
        float[] values = Values(1_000_003, true);
        long[] expected = Reference(values, 256, -4096);
        (int first, int count) = (4096, 256); // 0 to 1
        Paths.Each(path =>
        {
            var counts = new long[BinCounts.Bins];
            Assert.True(BinCounts.TryAdd(values, 256, -4096, (first, count), counts, out float min, out float max, out long counted));
            Assert.Equal((values.Min(), values.Max(), counts.Sum()), (min, max, counted));
            Assert.Equal(expected[(first + count)..], counts[(first + count)..]);
            // Of 341,000 values between 0 and 1 an eighth counts eightfold.
            Assert.InRange(counts[first..(first + count)].Sum(), expected[first..(first + count)].Sum() * 0.99, expected[first..(first + count)].Sum() * 1.01);
            Assert.InRange(counts[first], expected[first] - 2000, expected[first] + 2000); // 500,000 zeros
        });
    }
}
