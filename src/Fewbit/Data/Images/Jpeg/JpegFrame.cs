namespace Fewbit.Data.Images.Jpeg;

/// <summary>The frame header (SOF): size, kind and components.</summary>
internal sealed class JpegFrame
{
    public required int Width { get; init; }
    public required int Height { get; init; }
    public required bool IsProgressive { get; init; }
    public required JpegComponent[] Components { get; init; }
    public int MaxH { get; private init; }
    public int MaxV { get; private init; }
    public int McusWide => JpegComponent.CeilDivide(Width, 8 * MaxH);
    public int McusHigh => JpegComponent.CeilDivide(Height, 8 * MaxV);

    /// <param name="marker">0xC0 baseline, 0xC1 extended sequential, 0xC2 progressive.</param>
    /// <param name="body">The segment behind its length.</param>
    /// <param name="fileLength">Bytes of the file; a header that claims more blocks than the file has bits is refused before memory is taken.</param>
    /// <param name="name">The picture, for messages.</param>
    /// <param name="options">The limit on pixels.</param>
    public static JpegFrame Parse(byte marker, ReadOnlySpan<byte> body, int fileLength, string name, ImageDecoderOptions options)
    {
        if (body.Length < 6) throw new InvalidDataException($"{name}: JPEG frame header is {body.Length} bytes, expected at least 6");
        if (body[0] != 8) throw new InvalidDataException($"{name}: JPEG has {body[0]}-bit samples, expected 8; convert it to an 8-bit picture");
        int height = body[1] << 8 | body[2], width = body[3] << 8 | body[4], count = body[5];
        if (count is not (1 or 3 or 4)) throw new InvalidDataException($"{name}: JPEG has {count} components, expected 1, 3 or 4");
        if (body.Length != 6 + 3 * count)
            throw new InvalidDataException($"{name}: JPEG frame header is {body.Length} bytes, expected {6 + 3 * count} for {count} components");
        ImageDecoder.CheckSize(width, height, name, options);
        var components = new JpegComponent[count];
        for (int i = 0; i < count; i++) components[i] = ParseComponent(body.Slice(6 + 3 * i, 3), name);
        var frame = new JpegFrame
        {
            Width = width,
            Height = height,
            IsProgressive = marker == 0xC2,
            Components = components,
            MaxH = components.Max(component => component.H),
            MaxV = components.Max(component => component.V),
        };
        frame.LayOut(fileLength, name);
        return frame;
    }

    private static JpegComponent ParseComponent(ReadOnlySpan<byte> body, string name)
    {
        int h = body[1] >> 4, v = body[1] & 15;
        if (h is < 1 or > 4 || v is < 1 or > 4) throw new InvalidDataException($"{name}: JPEG sampling factor {h}x{v} is outside 1 to 4");
        if (body[2] > 3) throw new InvalidDataException($"{name}: JPEG component uses quantization table {body[2]}, expected 0 to 3");
        return new JpegComponent(body[0], h, v, body[2]);
    }

    private void LayOut(int fileLength, string name)
    {
        long blocks = 0;
        foreach (JpegComponent component in Components)
        {
            if (MaxH % component.H != 0 || MaxV % component.V != 0)
                throw new InvalidDataException($"{name}: JPEG sampling factors {component.H}x{component.V} against {MaxH}x{MaxV} need fractional upsampling, which is not supported");
            component.Layout(Width, Height, MaxH, MaxV);
            blocks += (long)component.BlocksWide * component.BlocksHigh;
        }
        if (blocks > 8L * fileLength)
            throw new InvalidDataException($"{name}: is truncated: {Width} x {Height} JPEG of {blocks} blocks needs more than the {fileLength} bytes the file has");
        foreach (JpegComponent component in Components) component.Allocate(IsProgressive);
    }
}
