using Fewbit.Data.Images;

namespace Fewbit.Data;

/// <summary>How a picture is brought to the model's size.</summary>
public enum PictureFit
{
    /// <summary>Shrinks or enlarges until the picture covers the model's size times <see cref="Preprocessing.Margin"/>, then cuts the centre.</summary>
    ShortSide,

    /// <summary>Stretches to exactly the model's size; the aspect changes.</summary>
    Exact,

    /// <summary>Does not resize: cuts the centre; a smaller picture is an error.</summary>
    None,

    /// <summary>Shrinks or enlarges until the whole picture lies in the model's size, in the middle; what is beside it is black.</summary>
    Letterbox,
}

/// <summary>The brightness that a model of one channel is given of a coloured picture.</summary>
public enum LumaRange
{
    /// <summary>0 (black) to 255 (white), as Pillow's grey.</summary>
    Full,

    /// <summary>16 (black) to 235 (white): the Y of YCbCr by ITU-R BT.601, as networks for super-resolution are trained.</summary>
    Studio,
}

/// <summary>The order of the colour channels that a model expects.</summary>
public enum ColourOrder
{
    /// <summary>Red first.</summary>
    Rgb,

    /// <summary>Blue first, as OpenCV loads pictures.</summary>
    Bgr,
}

/// <summary>The order of the dimensions of a model's picture input.</summary>
public enum PictureLayout
{
    /// <summary>Read from the input's shape: the dimension of length 1 or 3 is the channels.</summary>
    Auto,

    /// <summary>[N, C, H, W].</summary>
    Nchw,

    /// <summary>[N, H, W, C].</summary>
    Nhwc,
}

/// <summary>From a picture's bytes x to the numbers of a model's input: fit the size, order the channels, (x / DivideBy - Mean) / Std in float32.</summary>
public sealed record Preprocessing
{
    /// <summary>The key under which a model's metadata keep its settings, as <see cref="ToJson"/> writes them.</summary>
    public const string MetadataKey = "fewbit.preprocessing";

    private static readonly double[] ImageNetMean = [0.485, 0.456, 0.406], ImageNetStd = [0.229, 0.224, 0.225];

    /// <summary>Short side 256/224 of the model's size, centre, RGB, (x/255 - mean) / std with the ImageNet statistics: torchvision, timm.</summary>
    public static Preprocessing ImageNet { get; } = new() { Name = "imagenet", DivideBy = 255, Mean = ImageNetMean, Std = ImageNetStd };

    /// <summary>RGB in [-1, 1]: x/127.5 - 1, TensorFlow's MobileNet and Inception.</summary>
    public static Preprocessing Tf { get; } = new() { Name = "tf", DivideBy = 127.5, Mean = [1] };

    /// <summary>RGB in [0, 1]: x/255.</summary>
    public static Preprocessing ZeroToOne { get; } = new() { Name = "0-1", DivideBy = 255 };

    /// <summary>RGB as it is: 0 to 255.</summary>
    public static Preprocessing ZeroTo255 { get; } = new() { Name = "0-255" };

    /// <summary>As <see cref="ImageNet"/>, but stretched to the model's size without a crop: CIFAR-10 at 32 x 32.</summary>
    public static Preprocessing Cifar10 { get; } = ImageNet with { Name = "cifar10", Fit = PictureFit.Exact };

    /// <summary>BGR minus its ImageNet means 103.939, 116.779, 123.68, not scaled: Caffe, the first VGG and ResNet.</summary>
    public static Preprocessing Caffe { get; } = new() { Name = "caffe", ColourOrder = ColourOrder.Bgr, Mean = [103.939, 116.779, 123.68] };

    /// <summary>BGR, stretched, (x - mean) / std with OpenCV's ImageNet statistics: NanoDet.</summary>
    public static Preprocessing NanoDet { get; } = new()
    {
        Name = "nanodet", ColourOrder = ColourOrder.Bgr, Fit = PictureFit.Exact, Mean = [103.53, 116.28, 123.675], Std = [57.375, 57.12, 58.395],
    };

    /// <summary>BGR, stretched, x/255: FastestDet and other detectors fed by OpenCV.</summary>
    public static Preprocessing FastestDet { get; } = new() { Name = "fastestdet", ColourOrder = ColourOrder.Bgr, Fit = PictureFit.Exact, DivideBy = 255 };

    /// <summary>RGB, stretched, (x - 127) / 128: UltraFace.</summary>
    public static Preprocessing UltraFace { get; } = new() { Name = "ultraface", Fit = PictureFit.Exact, Mean = [127], Std = [128] };

    /// <summary>Brightness from 16 to 235 divided by 255, in the picture's own size: networks for super-resolution of one channel.</summary>
    public static Preprocessing Luma { get; } = ZeroToOne with { Name = "luma", Luminance = LumaRange.Studio };

    /// <summary>The presets of classifiers, those most in use first.</summary>
    public static IReadOnlyList<Preprocessing> ClassifierPresets { get; } = [ImageNet, Tf, ZeroToOne, ZeroTo255, Cifar10, Caffe];

    /// <summary>All presets.</summary>
    public static IReadOnlyList<Preprocessing> Presets { get; } = [.. ClassifierPresets, NanoDet, FastestDet, UltraFace, Luma];

    /// <summary>Name of the preset, or of the file that holds the settings.</summary>
    public string Name { get; init; } = "custom";

    /// <summary>How the picture is brought to the model's size. A picture that has it is left as it is.</summary>
    public PictureFit Fit { get; init; } = PictureFit.ShortSide;

    /// <summary><see cref="PictureFit.ShortSide"/> only: size before the cut over size after it, 1 to 4. Default 256/224.</summary>
    public double Margin
    {
        get;
        init => field = value is >= 1 and <= 4 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "margin must be in [1, 4]");
    } = 256.0 / 224;

    /// <summary>The filter of the resize; antialiased, as Pillow computes it.</summary>
    public ResizeFilter Filter { get; init; } = ResizeFilter.Bilinear;

    /// <summary>Order of the colour channels.</summary>
    public ColourOrder ColourOrder { get; init; } = ColourOrder.Rgb;

    /// <summary>Order of the dimensions.</summary>
    public PictureLayout Layout { get; init; } = PictureLayout.Auto;

    /// <summary>Height and width where the model leaves them open, 1 to 16384; null keeps each picture's own. Default null.</summary>
    public int? Size
    {
        get;
        init => field = value is null or (>= 1 and <= 16384) ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "size must be in [1, 16384]");
    }

    /// <summary>How many times wider and higher a picture is made (bicubic) before anything else, 1 to 8: for networks that sharpen an enlarged picture. Default 1.</summary>
    public int Enlarge
    {
        get;
        init => field = value is >= 1 and <= 8 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "enlarge must be in [1, 8]");
    } = 1;

    /// <summary>The brightness that a model of one channel is given.</summary>
    public LumaRange Luminance { get; init; } = LumaRange.Full;

    /// <summary>What each byte is divided by first; finite and above 0. Default 1.</summary>
    public double DivideBy
    {
        get;
        init => field = double.IsFinite(value) && value > 0 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "divideBy must be finite and above 0");
    } = 1;

    /// <summary>Subtracted after the division: one number, or one per channel in the model's channel order.</summary>
    public IReadOnlyList<double> Mean { get; init => field = Checked(value, "mean", double.IsFinite); } = [0];

    /// <summary>Divided by at the end: one number, or one per channel in the model's channel order; finite and above 0.</summary>
    public IReadOnlyList<double> Std { get; init => field = Checked(value, "std", number => double.IsFinite(number) && number > 0); } = [1];

    /// <summary>A preset by its name.</summary>
    /// <exception cref="ArgumentException">No preset has the name.</exception>
    public static Preprocessing Preset(string name) => Presets.FirstOrDefault(preset => preset.Name == name) ?? throw new ArgumentException(
        $"there is no preprocessing '{name}': expected {string.Join(", ", Presets.Select(preset => preset.Name))} or a JSON file{Closest.Suggestion(name, Presets.Select(preset => preset.Name))}", nameof(name));

    /// <summary>A preset by its name, or the settings in a JSON file.</summary>
    /// <exception cref="ArgumentException">It is neither a preset nor a file.</exception>
    /// <exception cref="InvalidDataException">The file does not hold valid settings.</exception>
    public static Preprocessing Parse(string presetOrFile) =>
        Presets.All(preset => preset.Name != presetOrFile) && File.Exists(presetOrFile)
            ? PreprocessingJson.Read(File.ReadAllText(presetOrFile), presetOrFile)
            : Preset(presetOrFile);

    /// <summary>The settings as JSON, for a model's metadata or a file.</summary>
    public string ToJson() => PreprocessingJson.Write(this);

    /// <summary>The settings that <see cref="ToJson"/> wrote.</summary>
    /// <param name="json">The text.</param>
    /// <param name="source">Where it comes from, for messages.</param>
    /// <exception cref="InvalidDataException">The text is not valid.</exception>
    public static Preprocessing FromJson(string json, string source) => PreprocessingJson.Read(json, source);

    /// <summary>True where the statistics fit a model of so many channels.</summary>
    public bool Fits(int channels) => (Mean.Count == 1 || Mean.Count == channels) && (Std.Count == 1 || Std.Count == channels);

    /// <summary>Equal where every setting is, the numbers of mean and std included; the name does not count.</summary>
    public bool Equals(Preprocessing? other) => other is not null && PreprocessingJson.Write(this with { Name = "" }) == PreprocessingJson.Write(other with { Name = "" });

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Fit, Margin, Filter, ColourOrder, Size, DivideBy, Mean[0], Std[0]);

    private static IReadOnlyList<double> Checked(IReadOnlyList<double> values, string name, Func<double, bool> isValid) =>
        values.Count is 1 or 3 && values.All(isValid) ? values : throw new ArgumentException($"{name} must be 1 or 3 finite numbers{(name == "std" ? " above 0" : "")}", nameof(values));
}
