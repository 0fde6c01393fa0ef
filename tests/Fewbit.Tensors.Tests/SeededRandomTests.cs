namespace Fewbit.Tensors.Tests;

public sealed class SeededRandomTests
{
    [Fact]
    public void NextBits_SameSeed_SameSequence()
    {
        SeededRandom a = new(7), b = new(7), c = new(8);
        ulong[] first = [.. Enumerable.Range(0, 5).Select(_ => a.NextBits())];
        Assert.Equal(first, Enumerable.Range(0, 5).Select(_ => b.NextBits()));
        Assert.NotEqual(first[0], c.NextBits());
    }

    [Fact]
    public void NextInt_ManyDraws_AreEven()
    {
        var random = new SeededRandom(1);
        var counts = new int[7];
        for (int i = 0; i < 70_000; i++) counts[random.NextInt(7)]++;
        Assert.All(counts, count => Assert.InRange(count, 9_600, 10_400)); // 4 standard deviations are 370
    }

    [Fact]
    public void NextNormal_ManyDraws_HasMeanZeroAndVarianceOne()
    {
        var random = new SeededRandom(2);
        double[] draws = [.. Enumerable.Range(0, 100_000).Select(_ => random.NextNormal())];
        Assert.InRange(draws.Average(), -0.015, 0.015);
        Assert.InRange(draws.Average(draw => draw * draw), 0.98, 1.02);
    }

    [Fact]
    public void Shuffle_Items_KeepsThemAll()
    {
        var random = new SeededRandom(3);
        int[] items = [.. Enumerable.Range(0, 100)];
        random.Shuffle<int>(items);
        Assert.NotEqual(Enumerable.Range(0, 100), items);
        Assert.Equal(Enumerable.Range(0, 100), items.Order());
    }
}
