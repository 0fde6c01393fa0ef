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
            for (int round = 0; round < 2; round++) Assert.True(BinCounts.TryAdd(values, 256, -4096, counts, out float min, out float max) && min == values.Min() && max == values.Max());
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
                Assert.False(BinCounts.TryAdd(values, 256, -4096, counts, out _, out _));
                Assert.DoesNotContain(counts, count => count != 0);
                values[place] = 1;
                Assert.True(BinCounts.TryAdd(values, 256, -4096, counts, out _, out _));
                Assert.Equal(Reference(values, 256, -4096), counts);
            }
        });
    }
}
