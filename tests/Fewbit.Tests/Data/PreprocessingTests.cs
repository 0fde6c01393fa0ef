using System.Runtime.InteropServices;
using Fewbit.Data;
using Fewbit.Data.Images;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Tests.Data;

public class PreprocessingTests
{
    private static readonly ValueInfo Nchw = new("input", ElementType.Float32, ["N", 3, 1, 2]);

    // One red-ish and one blue-ish pixel.
    private static readonly Image Pair = new(2, 1, 3, [255, 0, 10, 20, 30, 200]);

    [Fact]
    public void Write_ImageNet_NormalizesEachPlane()
    {
        float[] numbers = Numbers(Preprocessing.ImageNet, Nchw);

        Assert.Equal([(1f - 0.485f) / 0.229f, (20 / 255f - 0.485f) / 0.229f], numbers[..2]);
        Assert.Equal((200 / 255f - 0.406f) / 0.225f, numbers[5]);
    }

    [Fact]
    public void Write_TfAndScales_AreTheirFormulas()
    {
        Assert.Equal([1f, 20 / 127.5f - 1], Numbers(Preprocessing.Tf, Nchw)[..2]);
        Assert.Equal([1f, 20 / 255f], Numbers(Preprocessing.ZeroToOne, Nchw)[..2]);
        Assert.Equal([255f, 20f, 0f, 30f, 10f, 200f], Numbers(Preprocessing.ZeroTo255, Nchw));
        Assert.Equal(10 - 103.939f, Numbers(Preprocessing.Caffe, Nchw)[0]);
    }

    [Fact]
    public void Write_NhwcAndBgr_OrdersDimensionsAndChannels()
    {
        ValueInfo nhwc = new("input", ElementType.Float32, [1, 1, 2, 3]);
        // With a height of 1 the shape alone does not tell where the channels are.
        Preprocessing plain = Preprocessing.ZeroTo255 with { Layout = PictureLayout.Nhwc };
        Assert.Equal([255f, 0f, 10f, 20f, 30f, 200f], Numbers(plain, nhwc));
        Assert.Equal([10f, 0f, 255f, 200f, 30f, 20f], Numbers(plain with { ColourOrder = ColourOrder.Bgr }, nhwc));
    }

    [Fact]
    public void Write_OtherTypes_AreConverted()
    {
        byte[] bytes = Bytes(Preprocessing.ZeroTo255, new("i", ElementType.UInt8, [1, 3, 1, 2]));
        Assert.Equal([255, 20, 0, 30, 10, 200], bytes);
        Assert.Equal((Half)(20 / 255f), MemoryMarshal.Cast<byte, Half>(Bytes(Preprocessing.ZeroToOne, new("i", ElementType.Float16, [1, 3, 1, 2])))[1]);
        Assert.Equal([255f, 20f, 0f, 30f, 10f, 200f], FlatNumbers(Preprocessing.ZeroTo255, new PictureInput("flat", ElementType.Float32, false, 3, 1, 2, 2)));
    }

    [Fact]
    public void Write_GreyModel_TakesLuma() =>
        Assert.Equal(77f, Numbers(Preprocessing.ZeroTo255, new("g", ElementType.Float32, [1, 1, 1, 2]))[0]);

    [Theory]
    [InlineData(300, 200, 224, 384, 256)]  // short side 256, long side 384, centre 224
    [InlineData(32, 32, 32, 32, 32)]       // the model's size: nothing is resized
    [InlineData(256, 341, 224, 256, 341)]  // the short side is 256 already: only cut
    public void Fit_ShortSide_ResizesAsTorchvisionThenCutsTheCentre(int width, int height, int size, int coverWidth, int coverHeight)
    {
        Image picture = Gradient(width, height);
        var processor = new PicturePreprocessor(Preprocessing.ImageNet, PictureInput.TryFrom(new("x", ElementType.Float32, ["N", 3, size, size]))!);

        Image expected = ImageResizer.CentreCrop(ImageResizer.Resize(picture, coverWidth, coverHeight), size, size);

        Assert.Equal(expected.Pixels, processor.Fit(picture, "p").Pixels);
    }

    [Fact]
    public void Fit_EachFit_GivesTheModelsSizeOrSaysWhy()
    {
        PictureInput input = PictureInput.TryFrom(new("x", ElementType.Float32, [1, 3, 24, 40]))!;
        foreach (PictureFit fit in Enum.GetValues<PictureFit>())
        {
            Image fitted = new PicturePreprocessor(Preprocessing.ZeroToOne with { Fit = fit }, input).Fit(Gradient(50, 60), "p");
            Assert.Equal((40, 24), (fitted.Width, fitted.Height));
        }
        Assert.Equal("small.png: is 30 x 30 pixels, input 'x' takes 40 x 24 and preprocessing '0-1' does not resize; use fit short-side or exact",
            Assert.Throws<InvalidDataException>(() => new PicturePreprocessor(Preprocessing.ZeroToOne with { Fit = PictureFit.None }, input).Fit(Gradient(30, 30), "small.png")).Message);
        Assert.Contains("too narrow", Assert.Throws<InvalidDataException>(() => new PicturePreprocessor(Preprocessing.ImageNet,
            PictureInput.TryFrom(new("x", ElementType.Float32, [1, 3, 224, 224]))!).Fit(Gradient(1, 60000), "thin.png")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fit_OpenSize_KeepsThePictureOrTakesTheSetSize()
    {
        PictureInput open = PictureInput.TryFrom(new("x", ElementType.Float32, ["N", 3, "H", "W"]))!;
        Assert.Equal(50, new PicturePreprocessor(Preprocessing.ImageNet, open).Fit(Gradient(50, 60), "p").Width);
        Assert.Equal(24, new PicturePreprocessor(Preprocessing.ImageNet with { Size = 24 }, open).Fit(Gradient(50, 60), "p").Height);
    }

    [Theory]
    [InlineData(new long[] { 1, 3, 32, 48 }, false, 3, 32, 48)]
    [InlineData(new long[] { 1, 32, 48, 3 }, true, 3, 32, 48)]
    [InlineData(new long[] { 1, 1, 28, 28 }, false, 1, 28, 28)]
    [InlineData(new long[] { 1, 28, 28 }, false, 1, 28, 28)]
    [InlineData(new long[] { 1, 784 }, false, 1, 28, 28)]
    [InlineData(new long[] { 1, 3072 }, false, 3, 32, 32)]
    public void TryFrom_PictureShapes_FindsLayoutAndSize(long[] shape, bool nhwc, int channels, int height, int width)
    {
        PictureInput input = PictureInput.TryFrom(new("x", ElementType.Float32, SymbolicShape.From(new Shape(shape))))!;
        Assert.Equal((nhwc, channels, height, width, shape.Length), (input.IsNhwc, input.Channels, input.Height!.Value, input.Width!.Value, input.Rank));
    }

    [Theory]
    [InlineData(new long[] { 1, 640 }, ElementType.Float32)]
    [InlineData(new long[] { 1, 12, 49, 10 }, ElementType.Float32)]
    [InlineData(new long[] { 1, 3, 8, 8 }, ElementType.Int64)]
    public void TryFrom_OtherInputs_IsNull(long[] shape, ElementType type) =>
        Assert.Null(PictureInput.TryFrom(new("x", type, SymbolicShape.From(new Shape(shape)))));

    [Fact]
    public void Json_EveryPreset_RoundTrips()
    {
        Assert.All(Preprocessing.Presets, preset => Assert.Equal(preset, Preprocessing.FromJson(preset.ToJson(), "metadata")));
        Assert.All(Preprocessing.Presets, preset => Assert.Equal(preset.Name, Preprocessing.FromJson(preset.ToJson(), "metadata").Name));
        Assert.Equal(10, Preprocessing.Presets.Distinct().Count());
        Assert.Equal("""{"name":"tf","fit":"short-side","margin":1.1428571428571428,"filter":"bilinear","colourOrder":"rgb","layout":"auto","size":null,"divideBy":127.5,"mean":[1],"std":[1]}""", Preprocessing.Tf.ToJson());
    }

    [Fact]
    public void Json_PresetWithChanges_ChangesThoseAlone()
    {
        Preprocessing read = Preprocessing.FromJson("""{ "preset": "imagenet", "colourOrder": "bgr", "mean": 0.5, /* why */ }""", "my.json");

        Assert.Equal((ColourOrder.Bgr, 255.0, 0.229), (read.ColourOrder, read.DivideBy, read.Std[0]));
        Assert.Equal([0.5], read.Mean);
    }

    [Theory]
    [InlineData("""{"devideBy":255}""", "f.json: unknown preprocessing key 'devideBy', expected preset, name, fit, margin, filter, colourOrder, layout, size, enlarge, luminance, divideBy, mean, std; did you mean 'divideBy'?")]
    [InlineData("""{"fit":"exactly"}""", "f.json: 'fit' is 'exactly', expected short-side, exact, none, letterbox; did you mean 'exact'?")]
    [InlineData("""{"std":[0,1,1]}""", "f.json: std must be 1 or 3 finite numbers above 0")]
    [InlineData("""{"divideBy":-1}""", "f.json: divideBy must be finite and above 0")]
    [InlineData("""{"preset":"imagnet"}""", "did you mean 'imagenet'?")]
    [InlineData("""{"mean":"x"}""", "f.json: ")]
    [InlineData("[1]", "f.json: is not a JSON object")]
    [InlineData("{", "f.json: is not valid JSON")]
    public void Json_Wrong_SaysWhatIsExpected(string json, string message) =>
        Assert.Contains(message, Assert.Throws<InvalidDataException>(() => Preprocessing.FromJson(json, "f.json")).Message, StringComparison.Ordinal);

    [Fact]
    public void Constructor_ThreeMeansForGreyModel_IsRefused() =>
        Assert.Contains("input 'g' has 1 channel;", Assert.Throws<ArgumentException>(() =>
            new PicturePreprocessor(Preprocessing.ImageNet, PictureInput.TryFrom(new("g", ElementType.Float32, [1, 1, 8, 8]))!)).Message, StringComparison.Ordinal);

    private static float[] Numbers(Preprocessing settings, ValueInfo input) => MemoryMarshal.Cast<byte, float>(Bytes(settings, input)).ToArray();

    private static float[] FlatNumbers(Preprocessing settings, PictureInput input)
    {
        var bytes = new byte[4 * 2 * input.Channels];
        new PicturePreprocessor(settings, input).Write(Pair, bytes);
        return MemoryMarshal.Cast<byte, float>(bytes).ToArray();
    }

    private static byte[] Bytes(Preprocessing settings, ValueInfo input)
    {
        var processor = new PicturePreprocessor(settings, PictureInput.TryFrom(input, settings.Layout)!);
        var bytes = new byte[input.Type.ByteCount(2 * processor.Input.Channels)];
        processor.Write(processor.Fit(Pair, "pair"), bytes);
        return bytes;
    }

    private static Image Gradient(int width, int height) => new(width, height, 3, [.. Enumerable.Range(0, width * height * 3).Select(i => (byte)(i * 7 + i / 90))]);
}
