namespace Fewbit.Data.Images;

/// <summary>A decoded picture of 8-bit pixels: grey (1 channel) or red, green, blue (3 channels, interleaved), rows from the top, no padding.</summary>
public sealed class Image
{
    /// <summary>Wraps pixels; the array is not copied.</summary>
    /// <param name="width">Pixels a row, at least 1.</param>
    /// <param name="height">Rows, at least 1.</param>
    /// <param name="channels">1 (grey) or 3 (red, green, blue).</param>
    /// <param name="pixels">width * height * channels bytes, row by row.</param>
    /// <exception cref="ArgumentException">The array does not have width * height * channels bytes.</exception>
    public Image(int width, int height, int channels, byte[] pixels)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        if (channels is not (1 or 3)) throw new ArgumentOutOfRangeException(nameof(channels), channels, "must be 1 (grey) or 3 (red, green, blue)");
        ArgumentNullException.ThrowIfNull(pixels);
        if (pixels.LongLength != (long)width * height * channels)
            throw new ArgumentException($"has {pixels.Length} bytes, expected {width} x {height} x {channels}", nameof(pixels));
        (Width, Height, Channels, Pixels) = (width, height, channels, pixels);
    }

    /// <summary>Pixels a row.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>1: grey. 3: red, green, blue.</summary>
    public int Channels { get; }

    /// <summary>The bytes, row by row, channels interleaved.</summary>
    public byte[] Pixels { get; }

    /// <summary>Bytes a row.</summary>
    internal int Stride => Width * Channels;

    internal ReadOnlySpan<byte> Row(int y) => Pixels.AsSpan(y * Stride, Stride);

    /// <summary>The picture with three channels; grey is repeated.</summary>
    public Image ToRgb()
    {
        if (Channels == 3) return this;
        var rgb = new byte[Pixels.Length * 3];
        for (int i = 0; i < Pixels.Length; i++) rgb.AsSpan(i * 3, 3).Fill(Pixels[i]);
        return new Image(Width, Height, 3, rgb);
    }

    /// <summary>The picture with one channel: luma of ITU-R BT.601, (19595 R + 38470 G + 7471 B + 32768) >> 16, as Pillow computes it.</summary>
    public Image ToGrey()
    {
        if (Channels == 1) return this;
        var grey = new byte[Width * Height];
        for (int i = 0; i < grey.Length; i++)
            grey[i] = (byte)((Pixels[3 * i] * 19595 + Pixels[3 * i + 1] * 38470 + Pixels[3 * i + 2] * 7471 + 0x8000) >> 16);
        return new Image(Width, Height, 1, grey);
    }

    /// <summary>The picture with one channel: luma of ITU-R BT.601 from 16 (black) to 235 (white), rounded.</summary>
    public Image ToStudioLuma()
    {
        var luma = new byte[Width * Height];
        for (int i = 0; i < luma.Length; i++)
        {
            ReadOnlySpan<byte> pixel = Pixels.AsSpan(i * Channels, Channels);
            luma[i] = (byte)Math.Round(StudioLuma(pixel[0], pixel[Channels / 2], pixel[^1]), MidpointRounding.ToEven);
        }
        return new Image(Width, Height, 1, luma);
    }

    /// <summary>16 + (65.481 R + 128.553 G + 24.966 B) / 255 of colours from 0 to 255.</summary>
    internal static double StudioLuma(double red, double green, double blue) => 16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255;
}
