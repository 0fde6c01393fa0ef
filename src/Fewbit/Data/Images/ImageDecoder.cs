using Fewbit.Data.Images.Jpeg;

namespace Fewbit.Data.Images;

/// <summary>Decodes PNG and JPEG pictures, told apart by their first bytes, in managed code.</summary>
public static class ImageDecoder
{
    private static ReadOnlySpan<byte> PngSignature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    /// <summary>Decodes a picture file.</summary>
    /// <exception cref="InvalidDataException">The file is not a PNG or JPEG picture, or is damaged, truncated, too large or of an unsupported kind.</exception>
    public static Image Read(string path, ImageDecoderOptions? options = null) => Decode(File.ReadAllBytes(path), path, options);

    /// <summary>Decodes the bytes of a picture file.</summary>
    /// <param name="data">The whole file.</param>
    /// <param name="name">The name that messages give the picture.</param>
    /// <param name="options">Limits and orientation; null for the defaults.</param>
    /// <exception cref="InvalidDataException">The bytes are not a PNG or JPEG picture, or are damaged, truncated, too large or of an unsupported kind.</exception>
    public static Image Decode(ReadOnlySpan<byte> data, string name, ImageDecoderOptions? options = null)
    {
        options ??= ImageDecoderOptions.Default;
        if (IsJpeg(data)) return JpegDecoder.Decode(data, name, options);
        if (data.StartsWith(PngSignature)) return PngDecoder.Decode(data, name, options);
        throw new InvalidDataException(
            $"{name}: is not a PNG or JPEG picture (it starts with {Convert.ToHexString(data[..Math.Min(8, data.Length)])}, {data.Length} bytes); convert it to PNG or JPEG");
    }

    private static bool IsJpeg(ReadOnlySpan<byte> data) => data.Length >= 3 && data[0] == 0xFF && data[1] == 0xD8 && data[2] == 0xFF;

    internal static void CheckSize(long width, long height, string name, ImageDecoderOptions options)
    {
        if (width == 0 || height == 0) throw new InvalidDataException($"{name}: is {width} x {height} pixels, expected at least 1 x 1");
        if (width > int.MaxValue || height > int.MaxValue || width * height > options.MaxPixels)
            throw new InvalidDataException($"{name}: is {width} x {height} pixels, more than the limit of {options.MaxPixels}; scale it down");
    }
}
