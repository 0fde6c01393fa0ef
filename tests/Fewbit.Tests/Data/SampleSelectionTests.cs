using Fewbit.Data;
using Fewbit.Data.Arrays;
using Fewbit.Tensors;

namespace Fewbit.Tests.Data;

public class SampleSelectionTests
{
    [Fact]
    public void Draw_UnevenClasses_BalancesAsFarAsTheyReach()
    {
        // 100 of class 0, 20 of class 1, 3 of class 2.
        DataSet data = Data([.. Enumerable.Repeat(0, 100), .. Enumerable.Repeat(1, 20), .. Enumerable.Repeat(2, 3)]);

        DataSet drawn = SampleSelection.Draw(data, 33, seed: 5);

        Assert.Equal([15, 15, 3], drawn.Labels!.CountBy(label => label).OrderBy(pair => pair.Key).Select(pair => pair.Value));
        Assert.StartsWith("33 samples drawn with seed 5 balanced over the classes, of ", drawn.Description, StringComparison.Ordinal);
        Assert.Equal(33, Ids(drawn).Distinct().Count());
    }

    [Fact]
    public void Draw_SameSeed_IsTheSameAndOtherSeedsDiffer()
    {
        DataSet data = Data(new int[200], labelled: false);

        Assert.Equal(Ids(SampleSelection.Draw(data, 20, 1)), Ids(SampleSelection.Draw(data, 20, 1)));
        Assert.NotEqual(Ids(SampleSelection.Draw(data, 20, 1)), Ids(SampleSelection.Draw(data, 20, 2)));
        Assert.Same(data, SampleSelection.Draw(data, 200, 1));
    }

    [Fact]
    public void Draw_Seed_FixesTheSamplesForever() =>
        Assert.Equal(Frozen, Ids(SampleSelection.Draw(Data([.. Enumerable.Range(0, 40).Select(i => i % 4)]), 8, seed: 7)));

    [Theory]
    [InlineData(50, 10)]
    [InlineData(2, 1)]
    [InlineData(3, 1)]
    [InlineData(7, 1)]
    public void Split_AnyCount_IsADisjointFifth(int count, int held)
    {
        DataSet data = Data(new int[count]);

        (DataSet kept, DataSet heldOut) = SampleSelection.Split(data, seed: 3);

        Assert.Equal((count - held, held), (kept.Count, heldOut.Count));
        Assert.Equal(Enumerable.Range(0, count), Ids(kept).Concat(Ids(heldOut)).Order());
    }

    [Fact]
    public void Split_Classes_KeepTheirShares()
    {
        (_, DataSet heldOut) = SampleSelection.Split(Data([.. Enumerable.Range(0, 100).Select(i => i % 4)]), seed: 3);

        Assert.All(heldOut.Labels!.CountBy(label => label), pair => Assert.Equal(5, pair.Value));
        Assert.Throws<ArgumentException>(() => SampleSelection.Split(Data([1]), 1));
    }

    // From an independent program.
    private static readonly int[] Frozen = [4, 13, 14, 22, 32, 35, 37, 39];

    private static int[] Ids(DataSet data) => [.. Enumerable.Range(0, data.Count).Select(i => data.Read(i).Arrays!["id"].Span<int>()[0])];

    private static ArrayDataSet Data(int[] labels, bool labelled = true) =>
        new(new Dictionary<string, Tensor> { ["id"] = Tensor.From([.. Enumerable.Range(0, labels.Length)], [labels.Length, 1]) }, labelled ? labels : null);
}
