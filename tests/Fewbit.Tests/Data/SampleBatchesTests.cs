using Fewbit.Data;
using Fewbit.Data.Arrays;
using Fewbit.Graphs;
using Fewbit.Tensors;
using Fewbit.Testing;

namespace Fewbit.Tests.Data;

public sealed class SampleBatchesTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Enumerate_Pictures_AreInOrderAtAnyThreadCount(int threads)
    {
        DataSet data = Greys(11);

        SampleBatch[] batches = [.. new SampleBatches(data, [Input("N")], Preprocessing.ZeroTo255, new() { BatchSize = 4, Threads = threads })];

        Assert.Equal([4, 4, 3], batches.Select(batch => batch.Count));
        Assert.Equal([0, 4, 8], batches.Select(batch => batch.First));
        Assert.Equal(Enumerable.Range(0, 11), batches.SelectMany(batch => batch.Labels!));
        Assert.Equal(Enumerable.Range(0, 11).Select(i => (float)i), batches.SelectMany(batch => batch.Inputs["x"].Span<float>().ToArray().Chunk(12).Select(row => row[7])));
    }

    [Fact]
    public void Enumerate_FixedBatch_RepeatsTheLastSample()
    {
        SampleBatch last = new SampleBatches(Greys(5), [Input(4)], Preprocessing.ZeroTo255).Last();

        Assert.Equal((1, new Shape(4, 3, 2, 2)), (last.Count, last.Inputs["x"].Shape));
        Assert.All(last.Inputs["x"].Span<float>().ToArray(), value => Assert.Equal(4, value));
    }

    [Fact]
    public void Enumerate_OpenSize_EndsABatchWhereTheSizeChanges()
    {
        _folder.Write("0.png", Images.PngFile.Encode(3, 3, 0, 8, false, new ushort[9]));
        foreach (int i in new[] { 1, 2 }) _folder.WritePng($"{i}.png");

        SampleBatch[] batches = [.. new SampleBatches(DataSetReader.Open(_folder.Root), [new("x", ElementType.Float32, ["N", 3, "H", "W"])], Preprocessing.ZeroToOne)];

        Assert.Equal(["[1, 3, 3, 3]", "[2, 3, 2, 2]"], batches.Select(batch => batch.Inputs["x"].Shape.ToString()));
        Assert.Null(batches[0].Labels);
    }

    [Fact]
    public void Enumerate_DamagedPicture_NamesItOnce()
    {
        _folder.WritePng("0.png");
        string bad = _folder.Write("1.png", "no picture");

        Assert.StartsWith($"{bad}: is not a PNG", Assert.Throws<InvalidDataException>(() => new SampleBatches(DataSetReader.Open(_folder.Root), [Input("N")], Preprocessing.Tf).Count()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Enumerate_Cancelled_Stops()
    {
        using var cancellation = new CancellationTokenSource();
        using IEnumerator<SampleBatch> batches = new SampleBatches(Greys(40), [Input("N")], Preprocessing.Tf, new() { BatchSize = 1 }).Enumerate(cancellation.Token).GetEnumerator();
        Assert.True(batches.MoveNext());
        cancellation.Cancel();

        Assert.ThrowsAny<OperationCanceledException>(() => { while (batches.MoveNext()) { } });
    }

    [Fact]
    public void Enumerate_Arrays_FillInputsByNameAndType()
    {
        var data = new ArrayDataSet(new Dictionary<string, Tensor>
        {
            ["mask"] = Tensor.From<byte>([1, 0, 1, 1, 0, 0], [3, 2]),
            ["ids"] = Tensor.From<int>([1, 2, 3, 4, 5, 6], [3, 2]),
        }, [0, 1, 1]);
        ValueInfo[] inputs = [new("ids", ElementType.Int64, ["N", "T"]), new("mask", ElementType.Float32, ["N", 2])];

        SampleBatch batch = new SampleBatches(data, inputs).Single();

        Assert.Equal([1L, 2, 3, 4, 5, 6], batch.Inputs["ids"].Span<long>().ToArray());
        Assert.Equal([1f, 0, 1, 1, 0, 0], batch.Inputs["mask"].Span<float>().ToArray());
        Assert.Equal([0, 1, 1], batch.Labels!);
    }

    [Fact]
    public void Constructor_ArraysThatDoNotFit_NamesInputExpectedAndFound()
    {
        var data = new ArrayDataSet(new Dictionary<string, Tensor> { ["x"] = Tensor.Allocate(ElementType.Float64, [2, 8, 8, 3]) });

        Assert.Contains("arrays: 2 samples", "arrays: " + data.Description, StringComparison.Ordinal);
        Assert.EndsWith("array 'x' is float64 [N, 8, 8, 3], input 'i' float32 [N, 3, 8, 8] expects [N, 3, 8, 8]; move the channels first: x.transpose(0, 3, 1, 2) (Parameter 'item')",
            Problem(data, new ValueInfo("i", ElementType.Float32, ["N", 3, 8, 8])), StringComparison.Ordinal);
        Assert.Contains("array 'x' is float64, input 'i' int64 [N, 8, 8, 3] needs int64", Problem(data, new ValueInfo("i", ElementType.Int64, ["N", 8, 8, 3])), StringComparison.Ordinal);
        Assert.Contains("there is no array for input 'xx' float32 [N], found x; did you mean 'x'?", Problem(data, new("xx", ElementType.Float32, ["N"]), new("y", ElementType.Float32, ["N"])), StringComparison.Ordinal);
    }

    [Fact]
    public void Constructor_PicturesThatDoNotFit_SaysWhatToDo()
    {
        DataSet data = Greys(2);
        Assert.Contains("pictures need preprocessing; choose one of imagenet, tf", Assert.Throws<ArgumentException>(() => new SampleBatches(data, [Input("N")])).Message, StringComparison.Ordinal);
        Assert.Contains("input 'x' float32 [N, 640] does not take pictures", Assert.Throws<ArgumentException>(() =>
            new SampleBatches(data, [new("x", ElementType.Float32, ["N", 640])], Preprocessing.Tf)).Message, StringComparison.Ordinal);
        Assert.Contains("the model has 2 inputs", Assert.Throws<ArgumentException>(() => new SampleBatches(data, [Input("N"), Input("N")], Preprocessing.Tf)).Message, StringComparison.Ordinal);
    }

    [DataFact("imagenet/images")]
    public void Enumerate_RealPictures_FitTheModel()
    {
        DataSet data = SampleSelection.Draw(DataSetReader.Open(Oracles.Data("imagenet/images")), 40, seed: 1);

        SampleBatch[] batches = [.. new SampleBatches(data, [new("input", ElementType.Float32, ["N", 3, 224, 224])], Preprocessing.ImageNet)];

        Assert.Equal([32, 8], batches.Select(batch => batch.Count));
        Assert.All(batches, batch => Assert.All(batch.Inputs["input"].Span<float>().ToArray().Chunk(100_000), chunk => Assert.InRange(chunk.Average(), -3, 3)));
    }

    private static string Problem(DataSet data, params ValueInfo[] inputs) => Assert.Throws<ArgumentException>(() => new SampleBatches(data, inputs)).Message;

    private static ValueInfo Input(Dim batch) => new("x", ElementType.Float32, [batch, 3, 2, 2]);

    private DataSet Greys(int count)
    {
        for (int i = 0; i < count; i++) _folder.WritePng($"{i:00}/a.png", (byte)i);
        return DataSetReader.Open(_folder.Root);
    }
}
