using Fewbit.Data;
using Fewbit.Tensors;

namespace Fewbit.Tests.Data;

public class LabelOrderTests
{
    private SeededRandom _random = new(11);

    [Fact]
    public void Detect_RightLabels_FindsNothing() => Assert.Null(LabelOrder.Detect(Predict(Labels(500, 10), label => label, 10, 0.6), Labels(500, 10), 10));

    [Fact]
    public void Detect_BadModel_FindsNothing()
    {
        int[] labels = Labels(500, 10);
        Assert.Null(LabelOrder.Detect(Predict(labels, label => label, 10, 0), labels, 10));
        Assert.Null(LabelOrder.Detect(new int[500], labels, 10));
        Assert.Null(LabelOrder.Detect([], [], 10));
    }

    [Theory]
    [InlineData(1, 1001)]
    [InlineData(-1, 1000)]
    public void Detect_ShiftedByOne_NamesIt(int shift, int classes)
    {
        int[] labels = [.. Enumerable.Range(1, 700)];

        LabelOrder found = LabelOrder.Detect(Predict(labels, label => label + shift, classes, 0.6), labels, classes)!;

        Assert.Equal((LabelMismatch.Shifted, shift), (found.Mismatch, found.Shift));
        Assert.StartsWith($"your labels look shifted by one: class k of the data is class k{(shift > 0 ? "+" : "-")}1 of the model", found.Message, StringComparison.Ordinal);
        Assert.InRange(found.After, 0.5, 0.7);
    }

    [Fact]
    public void Detect_Permuted_NamesTheMapping()
    {
        int[] order = [3, 0, 2, 1, 4, 9, 5, 7, 6, 8], labels = Labels(400, 10);
        string[] names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

        LabelOrder found = LabelOrder.Detect(Predict(labels, label => order[label], 10, 0.7), labels, 10, names)!;

        Assert.Equal(LabelMismatch.Permuted, found.Mismatch);
        Assert.Equal(order, found.Mapping.OrderBy(pair => pair.Key).Select(pair => pair.Value));
        Assert.StartsWith("your labels look permuted: class 0 'airplane' is 3, 1 'automobile' is 0, 3 'cat' is 1,", found.Message, StringComparison.Ordinal);
        Assert.InRange(found.After, 0.6, 0.8);
    }

    [Fact]
    public void Detect_PermutedWithSomeNeighbours_IsNotCalledShifted()
    {
        // Two of the ten classes go to the next one.
        int[] labels = Labels(800, 10);

        LabelOrder found = LabelOrder.Detect(Predict(labels, label => (label * 7 + 3) % 10, 10, 0.9), labels, 10)!;

        Assert.Equal(LabelMismatch.Permuted, found.Mismatch);
    }

    [Fact]
    public void Detect_OneSampleAClass_DoesNotInventAPermutation()
    {
        int[] labels = [.. Enumerable.Range(0, 300)], predictions = [.. labels];
        _random.Shuffle(predictions.AsSpan());

        Assert.Null(LabelOrder.Detect(predictions, labels, 300));
    }

    [Fact]
    public void Detect_LabelsWithoutGaps_NamesThem()
    {
        // 700 of 1000 classes, numbered 0 to 699.
        int[] classes = [.. Enumerable.Range(0, 1000).Where(i => i % 10 < 7)], labels = [.. Enumerable.Range(0, 700)];

        LabelOrder found = LabelOrder.Detect(Predict(labels, label => classes[label], 1000, 0.7), labels, 1000)!;

        Assert.Equal(LabelMismatch.Gaps, found.Mismatch);
        Assert.Contains("0 to 699 for the 700 classes present, but the model has 1000 classes", found.Message, StringComparison.Ordinal);
    }

    private static int[] Labels(int count, int classes) => [.. Enumerable.Range(0, count).Select(i => i % classes)];

    private int[] Predict(int[] labels, Func<int, int> map, int classes, double accuracy) =>
        [.. labels.Select(label => _random.NextDouble() < accuracy ? map(label) : _random.NextInt(classes))];
}
