namespace Fewbit.Data.Images.Jpeg;

/// <summary>How the components of a JPEG file become pixels.</summary>
internal enum JpegColor
{
    Grey,
    Rgb,
    YCbCr,
    Cmyk,
    Ycck,
}

/// <summary>Upsamples the components row by row and converts them to grey or RGB.</summary>
internal static class JpegOutput
{
    private const int Scale = 16, Half = 1 << (Scale - 1);

    // Contributions of chroma 0..255 to red, green (twice, 16 fraction bits, rounded once) and blue.
    private static readonly int[] RedOfCr = Table(1.40200, Half, Scale), BlueOfCb = Table(1.77200, Half, Scale);
    private static readonly int[] GreenOfCr = Table(-0.71414, 0, 0), GreenOfCb = Table(-0.34414, Half, 0);

    public static Image Render(JpegFrame frame, JpegColor color)
    {
        int channels = color == JpegColor.Grey ? 1 : 3;
        var pixels = new byte[(long)frame.Width * frame.Height * channels];
        var rows = new byte[frame.Components.Length][];
        // The last column of an odd width is upsampled in a pair.
        for (int i = 0; i < rows.Length; i++) rows[i] = new byte[frame.Width + 2 * frame.MaxH];
        for (int y = 0; y < frame.Height; y++)
        {
            for (int i = 0; i < rows.Length; i++) JpegUpsampler.Row(frame, frame.Components[i], y, rows[i]);
            Convert(color, rows, pixels.AsSpan(y * frame.Width * channels, frame.Width * channels));
        }
        return new Image(frame.Width, frame.Height, channels, pixels);
    }

    private static void Convert(JpegColor color, byte[][] rows, Span<byte> target)
    {
        switch (color)
        {
            case JpegColor.Grey: rows[0].AsSpan(0, target.Length).CopyTo(target); break;
            case JpegColor.Rgb: Interleave(rows, target); break;
            case JpegColor.YCbCr: FromYCbCr(rows, target); break;
            case JpegColor.Cmyk: FromCmyk(rows, target); break;
            default: FromCmyk(YcckToCmyk(rows, target), target); break;
        }
    }

    private static void Interleave(byte[][] rows, Span<byte> target)
    {
        for (int x = 0, t = 0; t < target.Length; x++, t += 3) (target[t], target[t + 1], target[t + 2]) = (rows[0][x], rows[1][x], rows[2][x]);
    }

    private static void FromYCbCr(byte[][] rows, Span<byte> target)
    {
        ReadOnlySpan<byte> luma = rows[0], blue = rows[1], red = rows[2];
        for (int x = 0, t = 0; t + 2 < target.Length; x++, t += 3)
        {
            int y = luma[x], cb = blue[x], cr = red[x];
            target[t] = Clamp(y + RedOfCr[cr]);
            target[t + 1] = Clamp(y + ((GreenOfCb[cb] + GreenOfCr[cr]) >> Scale));
            target[t + 2] = Clamp(y + BlueOfCb[cb]);
        }
    }

    /// <summary>Inks are stored inverted (255 is no ink), as Adobe's files have them; colour = round(ink * black / 255).</summary>
    private static void FromCmyk(byte[][] rows, Span<byte> target)
    {
        for (int x = 0, t = 0; t < target.Length; x++, t += 3)
        {
            int black = rows[3][x];
            for (int c = 0; c < 3; c++) target[t + c] = (byte)((rows[c][x] * black * 2 + 255) / 510);
        }
    }

    /// <summary>YCCK is CMY in the form of YCbCr, complemented, beside an unchanged black.</summary>
    private static byte[][] YcckToCmyk(byte[][] rows, Span<byte> scratch)
    {
        FromYCbCr(rows, scratch);
        for (int x = 0, t = 0; t < scratch.Length; x++, t += 3)
            (rows[0][x], rows[1][x], rows[2][x]) = ((byte)(255 - scratch[t]), (byte)(255 - scratch[t + 1]), (byte)(255 - scratch[t + 2]));
        return rows;
    }

    private static byte Clamp(int value) => (byte)Math.Clamp(value, 0, 255);

    private static int[] Table(double factor, int rounding, int shift)
    {
        int fix = Math.Sign(factor) * (int)(Math.Abs(factor) * (1 << Scale) + 0.5);
        return [.. Enumerable.Range(0, 256).Select(value => (fix * (value - 128) + rounding) >> shift)];
    }
}
