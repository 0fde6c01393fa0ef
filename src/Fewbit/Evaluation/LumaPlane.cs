using Fewbit.Data.Images;
using Fewbit.Tensors;
using Fewbit.Training;

namespace Fewbit.Evaluation;

/// <summary>Luma of a picture by ITU-R BT.601, 16 (black) to 235 (white), in fractions of 255.</summary>
internal sealed class LumaPlane
{
    private readonly float[] _values;
    private readonly int _height, _width;

    private LumaPlane(int height, int width, float[] values) => (_height, _width, _values) = (height, width, values);

    /// <summary>The upper left part of a picture.</summary>
    public static LumaPlane Of(Image image, int height, int width)
    {
        var values = new float[height * width];
        for (int y = 0; y < height; y++)
        {
            ReadOnlySpan<byte> row = image.Row(y);
            for (int x = 0; x < width; x++)
            {
                // Grey is a colour of three equal parts.
                ReadOnlySpan<byte> pixel = row.Slice(x * image.Channels, image.Channels);
                values[y * width + x] = (float)(Image.StudioLuma(pixel[0], pixel[image.Channels / 2], pixel[^1]) / 255);
            }
        }
        return new(height, width, values);
    }

    /// <summary>A model's picture, [1, 1 or 3, H, W] with values from 0 to 1, rounded to whole numbers of 255 first.</summary>
    public static LumaPlane Of(Tensor picture)
    {
        (int height, int width) = ((int)picture.Shape[2], (int)picture.Shape[3]);
        ReadOnlySpan<float> source = picture.Span<float>();
        int plane = height * width;
        var values = new float[plane];
        for (int i = 0; i < plane; i++)
            values[i] = (float)((source.Length == plane ? Byte(source[i]) : Image.StudioLuma(Byte(source[i]), Byte(source[plane + i]), Byte(source[2 * plane + i]))) / 255);
        return new(height, width, values);
    }

    /// <summary>The plane without a border of so many pixels; one that would vanish keeps it.</summary>
    public LumaPlane Without(int border)
    {
        (int height, int width) = (_height - 2 * border, _width - 2 * border);
        if (height < 1 || width < 1) return this;
        var values = new float[height * width];
        for (int y = 0; y < height; y++) _values.AsSpan((y + border) * _width + border, width).CopyTo(values.AsSpan(y * width));
        return new(height, width, values);
    }

    public double Psnr(LumaPlane other) => PictureQuality.Psnr(_values, other._values);

    public double Ssim(LumaPlane other) => PictureQuality.Ssim(_values, other._values, 1, _height, _width);

    // NaN becomes 0, so that one broken pixel does not hide the others.
    private static double Byte(float value) => float.IsNaN(value) ? 0 : Math.Clamp(Math.Round(255.0 * value, MidpointRounding.ToEven), 0, 255);
}
