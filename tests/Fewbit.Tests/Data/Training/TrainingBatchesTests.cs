using Fewbit.Data;
using Fewbit.Data.Arrays;
using Fewbit.Data.Training;
using Fewbit.Graphs;
using Fewbit.Storage;
using Fewbit.Tensors;

namespace Fewbit.Tests.Data.Training;

public sealed class TrainingBatchesTests
{
    private static readonly ValueInfo s_input = new("x", ElementType.Float32, ["N", 3, 4, 4]);

    [Fact]
    public void Epoch_Shuffled_HasEachSampleOnceInAnotherOrderEachEpoch()
    {
        var batches = new TrainingBatches(new Greys(10), [s_input], Preprocessing.ZeroTo255, new() { BatchSize = 4, DropLast = false, Seed = 3 });

        int[] first = Order(batches, 0), second = Order(batches, 1);

        Assert.Equal(3, batches.BatchesPerEpoch);
        Assert.Equal(Enumerable.Range(0, 10), first.Order());
        Assert.Equal(Enumerable.Range(0, 10), second.Order());
        Assert.NotEqual(first, second);
        Assert.NotEqual(Enumerable.Range(0, 10), first);
        Assert.Equal(first, Order(batches, 0));
    }

    [Fact]
    public void Epoch_NotShuffledDropLast_IsInOrderWithoutTheRest()
    {
        var batches = new TrainingBatches(new Greys(10), [s_input], Preprocessing.ZeroTo255, new() { BatchSize = 4, Shuffle = false });

        Assert.Equal(Enumerable.Range(0, 8), Order(batches, 5));
        Assert.All(batches.Epoch(5), batch => Assert.Equal((4, 5, new Shape(4, 3, 4, 4)), (batch.Count, batch.Epoch, batch.Inputs["x"].Shape)));
        Assert.Equal([0, 1], batches.Epoch(5).Select(batch => batch.Index));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 3)]
    [InlineData(5, 4)]
    public void Epoch_AnyThreadCountAndStart_GivesTheSameBytes(int threads, int prefetch)
    {
        var options = new TrainingBatchesOptions { BatchSize = 4, DropLast = false, Seed = 1, Augmentation = new() { CropPadding = 2, Flip = true, CutoutSide = 2, MixupAlpha = 0.4 } };
        string[] expected = [.. new TrainingBatches(new Greys(23), [s_input], Preprocessing.ImageNet, options).Epoch(2).Select(Bytes)];
        var batches = new TrainingBatches(new Greys(23), [s_input], Preprocessing.ImageNet, options with { Threads = threads, Prefetch = prefetch, CacheBytes = threads == 2 ? 0 : 1 << 20 });

        Assert.Equal(expected, batches.Epoch(2).Select(Bytes));
        Assert.Equal(expected[2..], batches.Epoch(2, firstBatch: 2).Select(Bytes));
        Assert.Empty(batches.Epoch(2, firstBatch: 6));
        Assert.Equal(6, expected.Distinct().Count());
    }

    [Fact]
    public void Epoch_CropAndFlip_ShowEveryPieceOfThePaddedPicture()
    {
        var data = new Gradients(400);
        var batches = new TrainingBatches(data, [s_input], Preprocessing.ZeroTo255, new() { BatchSize = 400, Shuffle = false, Augmentation = new() { CropPadding = 1, Flip = true } });
        var seen = new HashSet<string>();

        float[] numbers = batches.Epoch(0).Single().Inputs["x"].Span<float>().ToArray();
        foreach (float[] picture in numbers.Chunk(48)) seen.Add(string.Join(',', picture.Take(16)));

        string[] possible = [.. from left in new[] { -1, 0, 1 } from top in new[] { -1, 0, 1 } from flip in new[] { false, true } select Expected(left, top, flip)];
        Assert.Equal(possible.Order(), seen.Order());

        static string Expected(int left, int top, bool flip) => string.Join(',', from y in Enumerable.Range(0, 4)
            from x in Enumerable.Range(0, 4)
            let sourceX = (flip ? 3 - x : x) + left
            let sourceY = y + top
            select sourceX is < 0 or > 3 || sourceY is < 0 or > 3 ? 0 : 10 * sourceY + sourceX + 1);
    }

    [Theory]
    [InlineData(CropFill.Mean, 0f)]
    [InlineData(CropFill.Black, -2f)]
    public void Epoch_CropBeyondThePicture_FillsWithMeanOrBlack(CropFill fill, float expected)
    {
        Preprocessing preprocessing = new() { DivideBy = 255, Mean = [0.5], Std = [0.25] };
        var batches = new TrainingBatches(new Greys(1, grey: 255), [s_input], preprocessing, new() { BatchSize = 1, Augmentation = new() { CropPadding = 100, CropFill = fill } });

        float[] numbers = batches.Epoch(0).Single().Inputs["x"].Span<float>().ToArray();

        Assert.All(numbers, number => Assert.True(number == expected || number == 2f));
        Assert.Contains(expected, numbers);
    }

    [Fact]
    public void Epoch_Cutout_BlanksOneSquareInAllChannels()
    {
        var batches = new TrainingBatches(new Greys(64, grey: 9), [s_input], Preprocessing.ZeroTo255, new() { BatchSize = 64, Augmentation = new() { CutoutSide = 2 } });

        foreach (float[] picture in batches.Epoch(0).Single().Inputs["x"].Span<float>().ToArray().Chunk(48))
        {
            int[] blank = [.. Enumerable.Range(0, 16).Where(i => picture[i] == 0)];
            Assert.Contains(blank.Length, new[] { 1, 2, 4 });
            Assert.All(Enumerable.Range(0, 48), i => Assert.Equal(blank.Contains(i % 16) ? 0 : 9, picture[i]));
        }
    }

    [Fact]
    public void Epoch_Mixup_MixesPicturesAndGivesBothLabels()
    {
        var batches = new TrainingBatches(new Greys(8), [s_input], Preprocessing.ZeroTo255, new() { BatchSize = 8, Augmentation = new() { MixupAlpha = 1 } });

        TrainingBatch batch = batches.Epoch(0).Single();

        Assert.InRange(batch.LabelWeight, 0f, 1f);
        Assert.Equal(batch.Labels!.Span<long>().ToArray().Order(), batch.PartnerLabels!.Span<long>().ToArray().Order());
        for (int row = 0; row < 8; row++)
        {
            float expected = batch.LabelWeight * batch.Labels.Span<long>()[row] + (1 - batch.LabelWeight) * batch.PartnerLabels.Span<long>()[row];
            Assert.Equal(expected, batch.Inputs["x"].Span<float>()[row * 48 + 17], 1e-5f);
        }
    }

    [Theory]
    [InlineData(0.2, 0.2)]
    [InlineData(1.0, 1.0 / 12)]
    [InlineData(3.0, 1.0 / 28)]
    public void DrawShare_ManyDraws_HasMeanAndVarianceOfBeta(double alpha, double variance)
    {
        var random = new SeededRandom(5);
        double[] draws = new double[20_000];
        foreach (ref double draw in draws.AsSpan()) draw = Mixup.DrawShare(ref random, alpha);

        // Var of Beta(a, a) is 1 / (4 (2a + 1)); the mean of 20,000 draws errs by less than 0.004 at one sigma.
        double mean = draws.Average(), expected = alpha == 0.2 ? 1 / (4 * 1.4) : variance;
        Assert.InRange(mean, 0.485, 0.515);
        Assert.InRange(draws.Average(draw => (draw - mean) * (draw - mean)), 0.93 * expected, 1.07 * expected);
    }

    [Fact]
    public void Epoch_Arrays_FillInputsAndTargets()
    {
        var arrays = new Dictionary<string, Tensor> { ["x"] = Tensor.From([1f, 2, 3, 4], [4, 1]), ["y"] = Tensor.From([10f, 20, 30, 40], [4, 1]) };
        var batches = new TrainingBatches(new ArrayDataSet(arrays), [new("x", ElementType.Float32, ["N", 1]), new("y", ElementType.Float32, ["N", 1])], options: new() { BatchSize = 3, DropLast = false });

        List<(float, float)> pairs = [];
        foreach (TrainingBatch batch in batches.Epoch(0)) pairs.AddRange(batch.Inputs["x"].Span<float>().ToArray().Zip(batch.Inputs["y"].Span<float>().ToArray()));

        Assert.Equal([(1, 10), (2, 20), (3, 30), (4, 40)], pairs.Order());
        Assert.Null(batches.Epoch(0).First().Labels);
    }

    [Fact]
    public void Epoch_DamagedSample_ThrowsWhereItWouldHaveCome()
    {
        var batches = new TrainingBatches(new Greys(9, damaged: 7), [s_input], Preprocessing.ZeroTo255, new() { BatchSize = 3, Shuffle = false, Threads = 2 });
        int read = 0;

        var problem = Assert.Throws<InvalidDataException>(() =>
        {
            foreach (TrainingBatch _ in batches.Epoch(0)) read++;
        });

        Assert.Equal((2, "grey 7: is damaged"), (read, problem.Message));
        Assert.Equal(2, batches.Epoch(0).Take(2).Count());
    }

    [Fact]
    public void Epoch_PictureOfAnotherSize_NamesBoth()
    {
        var batches = new TrainingBatches(new Greys(3, wide: 1), [new("x", ElementType.Float32, ["N", 3, "H", "W"])], Preprocessing.ZeroTo255, new() { BatchSize = 3 });

        Assert.StartsWith("grey 1: is 5 x 4 pixels, the first picture of the data is 4 x 4", Assert.Throws<InvalidDataException>(() => batches.Epoch(0).Count()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Epoch_Cancelled_StopsAndCanBeReadAgain()
    {
        var batches = new TrainingBatches(new Greys(40), [s_input], Preprocessing.ZeroTo255, new() { BatchSize = 1 });
        using var stop = new CancellationTokenSource();
        int read = 0;

        Assert.Throws<OperationCanceledException>(() =>
        {
            foreach (TrainingBatch _ in batches.Epoch(0, cancellation: stop.Token))
                if (++read == 5) stop.Cancel();
        });

        Assert.Equal(5, read);
        Assert.Equal(40, batches.Epoch(0).Count());
    }

    [Fact]
    public void Epoch_TwoAtOnce_IsRefused()
    {
        var batches = new TrainingBatches(new Greys(9), [s_input], Preprocessing.ZeroTo255, new() { BatchSize = 3 });

        foreach (TrainingBatch _ in batches.Epoch(0))
        {
            Assert.StartsWith("an epoch of these batches is being read", Assert.Throws<InvalidOperationException>(() => batches.Epoch(1).First()).Message, StringComparison.Ordinal);
            break;
        }
        Assert.Equal(3, batches.Epoch(1).Count());
    }

    [Fact]
    public void Constructor_WhatDoesNotFit_SaysWhy()
    {
        Refused("training on pictures needs float32", () => new TrainingBatches(new Greys(4), [new("x", ElementType.UInt8, ["N", 3, 4, 4])], Preprocessing.ZeroTo255));
        Refused("has 4 samples, fewer than one batch of 128; choose a smaller batch", () => new TrainingBatches(new Greys(4), [s_input], Preprocessing.ZeroTo255));
        var arrays = new ArrayDataSet(new Dictionary<string, Tensor> { ["x"] = Tensor.From([1f, 2], [2, 1]) });
        Refused("only pictures can be augmented", () => new TrainingBatches(arrays, [new("x", ElementType.Float32, ["N", 1])], options: new() { Augmentation = AugmentationOptions.Cifar }));
        Assert.Equal((2, true, 2), Fixed(new(new Greys(5), [new("x", ElementType.Float32, [2, 3, 4, 4])], Preprocessing.ZeroTo255, new() { DropLast = false })));

        static void Refused(string expected, Func<object> act) => Assert.Contains(expected, Assert.Throws<ArgumentException>(act).Message, StringComparison.Ordinal);
        static (int, bool, int) Fixed(TrainingBatches batches) => (batches.BatchSize, batches.DropLast, batches.BatchesPerEpoch);
    }

    [Fact]
    public void OfData_OtherSamplesOrLabels_GivesAnotherHash()
    {
        string hash = ContentHash.OfData(new Greys(20));

        Assert.Equal(hash, ContentHash.OfData(new Greys(20)));
        Assert.NotEqual(hash, ContentHash.OfData(new Greys(21)));
        Assert.NotEqual(hash, ContentHash.OfData(new Greys(20, grey: 3)));
    }

    private static int[] Order(TrainingBatches batches, int epoch)
    {
        List<int> order = [];
        foreach (TrainingBatch batch in batches.Epoch(epoch))
        {
            for (int row = 0; row < batch.Count; row++)
            {
                Assert.Equal(batch.Labels!.Span<long>()[row], batch.Inputs["x"].Span<float>()[row * 48 + 5]);
                order.Add((int)batch.Labels.Span<long>()[row]);
            }
        }
        return [.. order];
    }

    private static string Bytes(TrainingBatch batch) => Convert.ToHexString(batch.Inputs["x"].Bytes) + Convert.ToHexString(batch.Labels!.Bytes) + Convert.ToHexString(batch.PartnerLabels!.Bytes) + batch.LabelWeight;
}
