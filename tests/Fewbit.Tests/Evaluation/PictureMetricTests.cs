using Fewbit.Data;
using Fewbit.Data.Images;
using Fewbit.Evaluation;
using Fewbit.Runtime;
using Fewbit.Tensors;
using Fewbit.Testing;
using Fewbit.Tests.Data;
using Fewbit.Tests.Data.Images;

namespace Fewbit.Tests.Evaluation;

public sealed class PictureMetricTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Write(string name, int width, int height, Func<int, int, (int R, int G, int B)> colour)
    {
        ushort[] samples = [.. Enumerable.Range(0, width * height).SelectMany(i => colour(i % width, i / width) is var (r, g, b) ? new[] { (ushort)r, (ushort)g, (ushort)b } : [])];
        return _folder.Write(name, PngFile.Encode(width, height, 2, 8, false, samples));
    }

    private PicturePairs Pair(int width, int height, Func<int, int, (int, int, int)> colour)
    {
        Write("lr/p.png", width / 2, height / 2, (_, _) => (9, 9, 9));
        Write("hr/p.png", width, height, colour);
        return PicturePairs.Open(_folder.Path("lr"), _folder.Path("hr"));
    }

    [Fact]
    public void Result_EveryPixelOneStepOff_HasThePsnrOfThatStep()
    {
        PicturePairs pairs = Pair(10, 8, (_, _) => (100, 100, 100));
        using FunctionModel exact = Constant(100.3f / 255), near = Constant(101.2f / 255);
        PairedScore score = ModelEvaluation.Compare(exact, near, [FunctionModel.Batch(Tensor.Allocate(ElementType.Float32, [1, 3, 4, 5]))], PictureMetric.TryFor(exact, pairs)).Score!;
        // Rounded, the first is the target; the second is one grey level off, which is 219/255 of a luma level.
        Assert.True(double.IsPositiveInfinity(score.Reference));
        Assert.Equal(20 * Math.Log10(255 / (219.0 / 255)), score.Model, 1e-3);

        static FunctionModel Constant(float value) => FunctionModel.Of(["N", 3, "H", "W"], ["N", 3, "H2", "W2"], x => Tensor.From<float>([.. Enumerable.Repeat(value, 240)], [1, 3, 8, 10]));
    }

    [Fact]
    public void Result_RandomPictures_EqualsTheSlowReference()
    {
        var random = new Random(5);
        int[] hr = [.. Enumerable.Range(0, 11 * 9 * 3).Select(_ => random.Next(256))];
        float[] output = [.. Enumerable.Range(0, 3 * 8 * 10).Select(_ => (float)random.NextDouble() * 1.2f - 0.1f)];
        // 11 x 9 pixels for 5 x 4: the last column and row are cut.
        Write("lr/p.png", 5, 4, (_, _) => (0, 0, 0));
        Write("hr/p.png", 11, 9, (x, y) => (hr[3 * (y * 11 + x)], hr[3 * (y * 11 + x) + 1], hr[3 * (y * 11 + x) + 2]));
        PicturePairs pairs = PicturePairs.Open(_folder.Path("lr"), _folder.Path("hr"));
        Assert.Equal(2, pairs.TargetScale);
        using FunctionModel model = FunctionModel.Of(["N", 3, "H", "W"], ["N", 3, "H2", "W2"], _ => Tensor.From<float>(output, [1, 3, 8, 10]));
        PairedScore score = ModelEvaluation.Compare(model, model, [FunctionModel.Batch(Tensor.Allocate(ElementType.Float32, [1, 3, 4, 5]))], PictureMetric.TryFor(model, pairs)).Score!;
        double error = 0;
        for (int y = 2; y < 6; y++)
        {
            for (int x = 2; x < 8; x++)
            {
                double Colour(int c) => Math.Clamp(Math.Round(output[c * 80 + y * 10 + x] * 255.0), 0, 255);
                int at = 3 * (y * 11 + x);
                double made = 0.256788 * Colour(0) + 0.504129 * Colour(1) + 0.097906 * Colour(2), wanted = 0.256788 * hr[at] + 0.504129 * hr[at + 1] + 0.097906 * hr[at + 2];
                error += (made - wanted) * (made - wanted);
            }
        }
        Assert.Equal(10 * Math.Log10(255 * 255 / (error / 24)), score.Model, 1e-3);
        Assert.Equal(0, score.Difference);
    }

    [Fact]
    public void Add_ReferenceOfAnotherSize_NamesBoth()
    {
        PicturePairs pairs = Pair(10, 8, (_, _) => (1, 2, 3));
        using FunctionModel model = FunctionModel.Of(["N", 3, "H", "W"], ["N", 3, "H2", "W2"], _ => Tensor.Allocate(ElementType.Float32, [1, 3, 16, 20]));
        string message = Assert.Throws<InvalidDataException>(() => ModelEvaluation.Compare(model, model, [FunctionModel.Batch(Tensor.Allocate(ElementType.Float32, [1, 3, 4, 5]))], PictureMetric.TryFor(model, pairs))).Message;
        Assert.Contains("p.png: the model gives 20 x 16 pixels, its reference has 10 x 8, expected the same", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_NamesThatDiffer_MatchesResolutionMarksAndRefusesOthers()
    {
        Write("lr/birdx2.png", 4, 4, (_, _) => (0, 0, 0));
        Write("hr/bird.png", 8, 9, (_, _) => (7, 7, 7));
        PicturePairs pairs = PicturePairs.Open(_folder.Path("lr"), _folder.Path("hr"));
        Assert.Equal(9, pairs.ReadTarget(0).Height);
        Assert.Equal(9, pairs.Subset([0], "one").ReadTarget(0)!.Height);
        Write("lr/cat.png", 4, 4, (_, _) => (0, 0, 0));
        Assert.Contains("has no picture of that name", Assert.Throws<InvalidDataException>(() => PicturePairs.Open(_folder.Path("lr"), _folder.Path("hr"))).Message, StringComparison.Ordinal);
        Write("hr/cat.png", 12, 12, (_, _) => (0, 0, 0));
        Assert.Contains("expected one enlargement for all", Assert.Throws<InvalidDataException>(() => PicturePairs.Open(_folder.Path("lr"), _folder.Path("hr"))).Message, StringComparison.Ordinal);
        Write("hr/cat.png", 8, 12, (_, _) => (0, 0, 0));
        Assert.Contains("expected a whole multiple", Assert.Throws<InvalidDataException>(() => PicturePairs.Open(_folder.Path("lr"), _folder.Path("hr"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Luma_BlackAndWhite_IsSixteenAndTwoHundredThirtyFive()
    {
        Assert.Equal([16, 235], new Image(2, 1, 3, [0, 0, 0, 255, 255, 255]).ToStudioLuma().Pixels);
        var processor = new PicturePreprocessor(Preprocessing.Luma, PictureInput.TryFrom(new("x", ElementType.Float32, ["N", 1, "H", "W"]))!);
        var numbers = new byte[8];
        processor.Write(processor.Fit(new Image(2, 1, 3, [255, 255, 255, 10, 20, 30]), "p"), numbers);
        Assert.Equal(235f / 255, BitConverter.ToSingle(numbers), 1e-6f);
        Assert.Equal((16 + (65.481f * 10 + 128.553f * 20 + 24.966f * 30) / 255) / 255, BitConverter.ToSingle(numbers, 4), 1e-6f);
    }

    [Fact]
    public void Fit_LetterboxAndEnlarge_KeepTheWholePicture()
    {
        var input = PictureInput.TryFrom(new("x", ElementType.Float32, [1, 3, 8, 8]))!;
        Image boxed = new PicturePreprocessor(Preprocessing.ZeroTo255 with { Fit = PictureFit.Letterbox }, input).Fit(new Image(16, 8, 1, [.. Enumerable.Repeat((byte)200, 128)]), "p");
        Assert.Equal([0, 200, 200, 0], new[] { 1, 2, 5, 6 }.Select(y => boxed.Pixels[y * 24 + 12]));
        var open = PictureInput.TryFrom(new("x", ElementType.Float32, ["N", 3, "H", "W"]))!;
        Assert.Equal((6, 9), new PicturePreprocessor(Preprocessing.ZeroToOne with { Enlarge = 3 }, open).Fit(new Image(2, 3, 1, new byte[6]), "p") is var large ? (large.Width, large.Height) : default);
        Preprocessing settings = Preprocessing.Luma with { Enlarge = 3, Fit = PictureFit.Letterbox };
        Assert.Equal(settings, Preprocessing.FromJson(settings.ToJson(), "metadata"));
    }

    // README of the data: imdn_rtc_x2 37.32, vdsr_y 37.52, bicubic 33.67, measured in PyTorch.
    [DataFact("super_resolution/Set5", "super_resolution/models/imdn_rtc_x2.onnx")]
    public void Result_Set5_IsTheFigureMeasuredInPyTorch()
    {
        using ModelRunner model = ModelRunner.Load(Oracles.Data("super_resolution/models/imdn_rtc_x2.onnx"));
        PicturePairs pairs = PicturePairs.Open(Oracles.Data("super_resolution/Set5/LRx2"), Oracles.Data("super_resolution/Set5/HR"));
        PairedScore score = ModelEvaluation.Compare(model, model, new SampleBatches(pairs, model.Inputs, Preprocessing.ZeroToOne), PictureMetric.TryFor(model, pairs)).Score!;
        Assert.Equal(37.32, score.Model, 0.01);
        Assert.Equal(33.67, score.Details[^1].Model, 0.005);
    }
}
