using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Operators;

public sealed class DetectionTests
{
    [Fact]
    public void NonMaxSuppression_EqualScoresAndEdges_KeepsTheFirstAndWhatOverlapsNoMoreThanAllowed()
    {
        // Box 1 overlaps box 0 by exactly a third; boxes 2 and 3 are one box, given by other corners.
        Tensor boxes = Tensor.From<float>([0, 0, 1, 1, 0, 0.5f, 1, 1.5f, 5, 5, 6, 6, 6, 6, 5, 5], [1, 4, 4]), scores = Tensor.From<float>([0.9f, 0.8f, 0.7f, 0.7f], [1, 1, 4]);
        Tensor selected = OperatorRun.One("NonMaxSuppression", boxes, scores, Tensor.From(10L), Tensor.From(0.5f / 1.5f));
        Assert.Equal([0L, 0, 0, 0, 0, 1, 0, 0, 2], selected.Span<long>().ToArray());
        Assert.Equal(new Shape(0, 3), OperatorRun.One("NonMaxSuppression", boxes, scores).Shape);
    }

    [Fact]
    public void MaxRoiPool_RegionBesideTheImage_GivesZeros()
    {
        Tensor y = OperatorRun.One("MaxRoiPool", new Attributes { { "pooled_shape", new long[] { 1, 2 } } }, OperatorRun.Random([1, 1, 4, 4], seed: 2, min: 1, max: 2), Tensor.From<float>([0, 9, 9, 12, 12], [1, 5]));
        Assert.Equal([0f, 0f], y.Span<float>().ToArray());
    }

    [Fact]
    public void RoiAlign_RegionOfAnotherItem_NamesIt()
    {
        string message = Assert.Throws<InvalidDataException>(() => OperatorRun.One("RoiAlign", OperatorRun.Random([1, 1, 4, 4], seed: 2), Tensor.From<float>([0, 0, 2, 2], [1, 4]), Tensor.From(3L))).Message;
        Assert.Equal("RoiAlign 'RoiAlign': region 0 lies in item 3 of a batch of 1", message);
    }

    [Fact]
    public void MaxUnpool_IndexBeyondTheOutput_NamesIt()
    {
        var attributes = new Attributes { { "kernel_shape", new long[] { 2, 2 } }, { "strides", new long[] { 2, 2 } } };
        string message = Assert.Throws<InvalidDataException>(() => OperatorRun.One("MaxUnpool", attributes, OperatorRun.Random([1, 1, 1, 1], seed: 2), Tensor.From<long>([4], [1, 1, 1, 1]))).Message;
        Assert.Equal("MaxUnpool 'MaxUnpool': index 0 is 4, expected 0 to 3 (output [1, 1, 2, 2])", message);
    }
}
