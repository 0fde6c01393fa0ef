using System.Buffers.Binary;

namespace Fewbit.Data.Images;

/// <summary>The IHDR chunk of a PNG file.</summary>
internal readonly record struct PngHeader(int Width, int Height, int BitDepth, int ColourType, bool IsInterlaced)
{
    public const int Grey = 0, Rgb = 2, Palette = 3, GreyAlpha = 4, RgbAlpha = 6;

    public int Samples => ColourType switch { Grey or Palette => 1, GreyAlpha => 2, Rgb => 3, _ => 4 };

    public int BitsPerPixel => Samples * BitDepth;

    /// <summary>Distance in bytes to the pixel on the left that the filters look at.</summary>
    public int FilterDistance => Math.Max(1, BitsPerPixel / 8);

    /// <summary>Channels of the decoded picture: alpha is dropped, a palette becomes RGB.</summary>
    public int Channels => ColourType is Grey or GreyAlpha ? 1 : 3;

    public long RowBytes(int width) => ((long)width * BitsPerPixel + 7) / 8;

    /// <summary>The whole picture as one pass, or the seven passes of Adam7; passes without pixels are left out.</summary>
    public IEnumerable<PngPass> Passes()
    {
        (int width, int height) = (Width, Height);
        PngPass[] all = IsInterlaced
            ? [new(0, 0, 8, 8), new(4, 0, 8, 8), new(0, 4, 4, 8), new(2, 0, 4, 4), new(0, 2, 2, 4), new(1, 0, 2, 2), new(0, 1, 1, 2)]
            : [new(0, 0, 1, 1)];
        return all.Where(pass => pass.Width(width) > 0 && pass.Height(height) > 0);
    }

    public static PngHeader Parse(ReadOnlySpan<byte> body, string name, ImageDecoderOptions options)
    {
        if (body.Length != 13) throw new InvalidDataException($"{name}: is damaged: PNG header is {body.Length} bytes, expected 13");
        (uint width, uint height) = (BinaryPrimitives.ReadUInt32BigEndian(body), BinaryPrimitives.ReadUInt32BigEndian(body[4..]));
        ImageDecoder.CheckSize(width, height, name, options);
        (int depth, int type) = (body[8], body[9]);
        bool known = type switch
        {
            Grey => depth is 1 or 2 or 4 or 8 or 16,
            Palette => depth is 1 or 2 or 4 or 8,
            Rgb or GreyAlpha or RgbAlpha => depth is 8 or 16,
            _ => false,
        };
        if (!known) throw new InvalidDataException($"{name}: is damaged: PNG colour type {type} with {depth} bits is not defined");
        if (body[10] != 0 || body[11] != 0 || body[12] > 1)
            throw new InvalidDataException($"{name}: PNG compression {body[10]}, filter {body[11]}, interlace {body[12]} is not defined, expected 0, 0, 0 or 1");
        return new PngHeader((int)width, (int)height, depth, type, body[12] == 1);
    }
}

/// <summary>One pass over a PNG picture: first pixel and steps.</summary>
internal readonly record struct PngPass(int X, int Y, int StepX, int StepY)
{
    public int Width(int imageWidth) => (imageWidth - X + StepX - 1) / StepX;
    public int Height(int imageHeight) => (imageHeight - Y + StepY - 1) / StepY;
}
