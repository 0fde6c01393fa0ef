using System.Runtime.InteropServices;
using Fewbit.Data.Images;
using Fewbit.Tensors;

namespace Fewbit.Data;

/// <summary>Turns pictures into the numbers of one model input. Thread-safe.</summary>
public sealed class PicturePreprocessor
{
    private const long MaxCoverPixels = 1L << 28;
    private readonly Preprocessing _settings;
    private readonly float[][] _values; // by channel in the model's order, then by byte

    /// <exception cref="ArgumentException">The statistics do not fit the input's channels.</exception>
    public PicturePreprocessor(Preprocessing settings, PictureInput input)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(input);
        if (!settings.Fits(input.Channels))
        {
            throw new ArgumentException($"preprocessing '{settings.Name}' has {Math.Max(settings.Mean.Count, settings.Std.Count)} means or deviations, "
                + $"input '{input.Name}' has {input.Channels} channel{(input.Channels == 1 ? "" : "s")}; use 0-1, 0-255, tf or a file with one mean and one std", nameof(settings));
        }
        (_settings, Input) = (settings, input);
        _values = [.. Enumerable.Range(0, input.Channels).Select(Values)];
    }

    /// <summary>What the pictures are made for.</summary>
    public PictureInput Input { get; }

    /// <summary>The number that each byte becomes, by channel in the model's order.</summary>
    internal float[][] ChannelValues => _values;

    /// <summary>True where the model's first channel is the picture's last.</summary>
    internal bool IsReversed => _settings.ColourOrder == ColourOrder.Bgr;

    /// <summary>Resizes, crops and sets the number of channels; the bytes that <see cref="Write"/> normalizes. <see cref="LumaRange.Studio"/> keeps the colours, whose luma is no whole number.</summary>
    /// <exception cref="InvalidDataException"><see cref="PictureFit.None"/> and the picture is smaller than the model's input.</exception>
    public Image Fit(Image image, string name)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (_settings.Enlarge > 1) image = Enlarged(image, name);
        (int height, int width) = (Input.Height ?? _settings.Size ?? image.Height, Input.Width ?? _settings.Size ?? image.Width);
        image = Input.Channels == 1 && _settings.Luminance == LumaRange.Full ? image.ToGrey() : image.ToRgb();
        if (image.Height == height && image.Width == width) return image;
        switch (_settings.Fit)
        {
            case PictureFit.Exact: return ImageResizer.Resize(image, width, height, _settings.Filter);
            case PictureFit.None when image.Height < height || image.Width < width:
                throw new InvalidDataException($"{name}: is {image.Width} x {image.Height} pixels, input '{Input.Name}' takes {width} x {height} and preprocessing '{_settings.Name}' does not resize; use fit short-side or exact");
            case PictureFit.ShortSide: image = Cover(image, height, width, name); break;
            case PictureFit.Letterbox: image = Inside(image, height, width); break;
        }
        return ImageResizer.CentreCrop(image, width, height);
    }

    /// <summary>Writes a fitted picture's numbers, in the layout and type of the input.</summary>
    /// <param name="image">What <see cref="Fit"/> gave.</param>
    /// <param name="target">The bytes of one picture in a batch tensor.</param>
    internal void Write(Image image, Span<byte> target)
    {
        if (image.Channels > Input.Channels)
        {
            if (Input.Type == ElementType.Float32)
            {
                WriteLuma(image, MemoryMarshal.Cast<byte, float>(target));
                return;
            }
            image = image.ToStudioLuma();
        }
        switch (Input.Type)
        {
            case ElementType.Float32: Write(image, MemoryMarshal.Cast<byte, float>(target), _values); break;
            case ElementType.Float64: Write(image, MemoryMarshal.Cast<byte, double>(target), Convert(value => (double)value)); break;
            case ElementType.Float16: Write(image, MemoryMarshal.Cast<byte, Half>(target), Convert(value => (Half)value)); break;
            case ElementType.UInt8: Write(image, target, Convert(value => (byte)Math.Clamp(MathF.Round(value), 0, 255))); break;
            case ElementType.Int8: Write(image, MemoryMarshal.Cast<byte, sbyte>(target), Convert(value => (sbyte)Math.Clamp(MathF.Round(value), -128, 127))); break;
            default: throw new InvalidOperationException($"Bug in PictureInput: {Input.Type.Name()} cannot hold pixels");
        }
    }

    /// <summary>Rounding luma to bytes costs VDSR 0.07 dB on Set5.</summary>
    private void WriteLuma(Image image, Span<float> target)
    {
        (float divideBy, float mean, float std) = ((float)_settings.DivideBy, At(_settings.Mean, 0), At(_settings.Std, 0));
        for (int i = 0; i < target.Length; i++)
        {
            ReadOnlySpan<byte> pixel = image.Pixels.AsSpan(3 * i, 3);
            target[i] = ((float)Image.StudioLuma(pixel[0], pixel[1], pixel[2]) / divideBy - mean) / std;
        }
    }

    private T[][] Convert<T>(Func<float, T> convert) => [.. _values.Select(channel => channel.Select(convert).ToArray())];

    private void Write<T>(Image image, Span<T> target, T[][] values)
    {
        int channels = Input.Channels, pixels = image.Width * image.Height;
        (int pixelStep, int channelStep) = Input.IsNhwc ? (channels, 1) : (1, pixels);
        ReadOnlySpan<byte> source = image.Pixels;
        for (int c = 0; c < channels; c++)
        {
            ReadOnlySpan<T> table = values[c];
            int from = IsReversed ? channels - 1 - c : c;
            for (int s = from, t = c * channelStep; s < source.Length; s += channels, t += pixelStep) target[t] = table[source[s]];
        }
    }

    /// <summary>The smallest size of the same aspect that covers the model's size times the margin; the longer side is rounded down, as in torchvision.</summary>
    private Image Cover(Image image, int height, int width, string name)
    {
        int coverHeight = (int)Math.Round(height * _settings.Margin), coverWidth = (int)Math.Round(width * _settings.Margin);
        bool widthBinds = (long)coverWidth * image.Height >= (long)coverHeight * image.Width;
        (int newHeight, int newWidth) = widthBinds
            ? (Math.Max(coverHeight, (int)((long)coverWidth * image.Height / image.Width)), coverWidth)
            : (coverHeight, Math.Max(coverWidth, (int)((long)coverHeight * image.Width / image.Height)));
        if ((long)newHeight * newWidth > MaxCoverPixels)
            throw new InvalidDataException($"{name}: is {image.Width} x {image.Height} pixels, too narrow to be resized to cover {width} x {height}; crop it first");
        return ImageResizer.Resize(image, newWidth, newHeight, _settings.Filter);
    }

    /// <summary>The largest size of the same aspect that lies within the model's; the centre cut pads it.</summary>
    private Image Inside(Image image, int height, int width)
    {
        bool widthBinds = (long)width * image.Height <= (long)height * image.Width;
        return widthBinds
            ? ImageResizer.Resize(image, width, Math.Max(1, (int)((long)width * image.Height / image.Width)), _settings.Filter)
            : ImageResizer.Resize(image, Math.Max(1, (int)((long)height * image.Width / image.Height)), height, _settings.Filter);
    }

    private Image Enlarged(Image image, string name)
    {
        (long height, long width) = ((long)image.Height * _settings.Enlarge, (long)image.Width * _settings.Enlarge);
        if (height * width > MaxCoverPixels) throw new InvalidDataException($"{name}: is {image.Width} x {image.Height} pixels, too large to be enlarged {_settings.Enlarge} times");
        return ImageResizer.Resize(image, (int)width, (int)height, ResizeFilter.Bicubic);
    }

    /// <summary>The 256 numbers a channel can take, each operation rounded to float32 as frameworks do.</summary>
    private float[] Values(int channel)
    {
        float divideBy = (float)_settings.DivideBy, mean = At(_settings.Mean, channel), std = At(_settings.Std, channel);
        return [.. Enumerable.Range(0, 256).Select(value => (value / divideBy - mean) / std)];
    }

    private static float At(IReadOnlyList<double> values, int channel) => (float)(values.Count == 1 ? values[0] : values[channel]);
}
