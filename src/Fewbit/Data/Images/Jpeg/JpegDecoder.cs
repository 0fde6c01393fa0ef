namespace Fewbit.Data.Images.Jpeg;

/// <summary>Decodes JPEG (ITU T.81): baseline, extended sequential and progressive Huffman files of 8 bits, grey, YCbCr, RGB, CMYK and YCCK.</summary>
/// <remarks>Pixels equal those of libjpeg-turbo's djpeg with its default settings. Not decoded: arithmetic coding, lossless and hierarchical files, 12 bits.</remarks>
internal ref struct JpegDecoder
{
    /// <summary>Scans above which a progressive file is refused: real ones have about 10, and each costs a walk over all blocks.</summary>
    private const int MaxScans = 200;

    private readonly ReadOnlySpan<byte> _data;
    private readonly string _name;
    private readonly ImageDecoderOptions _options;
    private readonly ushort[]?[] _quantizers = new ushort[4][];
    private readonly JpegHuffmanTable?[] _dcTables = new JpegHuffmanTable[4], _acTables = new JpegHuffmanTable[4];
    private JpegFrame? _frame;
    private int _position, _restartInterval, _scans, _orientation = 1;
    private bool _isJfif;
    private int _adobeTransform = -1; // -1: no Adobe marker

    /// <summary>Natural (row by row) position of each coefficient in file order.</summary>
    internal static ReadOnlySpan<byte> ZigZag =>
    [
        0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
        35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
    ];

    private JpegDecoder(ReadOnlySpan<byte> data, string name, ImageDecoderOptions options)
    {
        _data = data;
        (_name, _options) = (name, options);
    }

    public static Image Decode(ReadOnlySpan<byte> data, string name, ImageDecoderOptions options) =>
        new JpegDecoder(data, name, options).Decode();

    /// <summary>The position of the next marker's FF, or -1; skips fill bytes and what is not a marker.</summary>
    internal static int FindMarker(ReadOnlySpan<byte> data, int position)
    {
        for (int i = position; i + 1 < data.Length; i++)
            if (data[i] == 0xFF && data[i + 1] is not (0 or 0xFF)) return i;
        return -1;
    }

    private Image Decode()
    {
        _position = 2;
        while (true)
        {
            int marker = NextMarker();
            if (marker == 0xD9) break;
            if (marker is >= 0xD0 and <= 0xD7 or 0x01) continue; // stray, without a body
            ReadSegment((byte)marker);
        }
        return Finish();
    }

    private int NextMarker()
    {
        int found = FindMarker(_data, _position);
        if (found >= 0)
        {
            _position = found + 2;
            return _data[found + 1];
        }
        // A sequential file is complete without its end marker once every component was seen; a progressive one may lack scans.
        if (_frame is { IsProgressive: false } frame && frame.Components.All(component => component.IsSeen)) return 0xD9;
        throw new InvalidDataException($"{_name}: is truncated: the {_data.Length} bytes end before the JPEG end marker");
    }

    private void ReadSegment(byte marker)
    {
        if (_position + 2 > _data.Length) throw Truncated(marker);
        int length = _data[_position] << 8 | _data[_position + 1];
        if (length < 2 || _position + length > _data.Length) throw Truncated(marker);
        ReadOnlySpan<byte> body = _data.Slice(_position + 2, length - 2);
        _position += length;
        switch (marker)
        {
            case 0xC0 or 0xC1 or 0xC2: ReadFrame(marker, body); break;
            case 0xC4: ReadHuffmanTables(body); break;
            case 0xDA: ReadScan(body); break;
            case 0xDB: ReadQuantizers(body); break;
            case 0xDD when body.Length == 2: _restartInterval = body[0] << 8 | body[1]; break;
            case 0xDD: throw Malformed("restart interval", body.Length);
            case 0xE0: _isJfif |= body.StartsWith("JFIF\0"u8); break;
            case 0xE1: ReadExif(body); break;
            case 0xEE when body.Length >= 12 && body.StartsWith("Adobe"u8): _adobeTransform = body[11]; break;
            case >= 0xC3 and <= 0xCF and not 0xC8: throw Unsupported(marker);
        }
    }

    private readonly InvalidDataException Truncated(byte marker) =>
        new($"{_name}: is truncated or damaged: JPEG segment FF{marker:X2} at byte {_position - 2} does not fit into the {_data.Length} bytes of the file");

    private readonly InvalidDataException Malformed(string what, int length) => new($"{_name}: is damaged: JPEG {what} of {length} bytes is malformed");

    private readonly InvalidDataException Unsupported(byte marker)
    {
        string kind = marker switch
        {
            0xC3 or 0xC7 => "a lossless",
            0xC5 or 0xC6 => "a hierarchical",
            0xCC => "an arithmetic-coded",
            _ => "an arithmetic-coded or lossless",
        };
        return new($"{_name}: is {kind} JPEG (marker FF{marker:X2}), expected baseline, extended sequential or progressive Huffman coding; convert it, for example with jpegtran");
    }

    private void ReadFrame(byte marker, ReadOnlySpan<byte> body)
    {
        if (_frame is not null) throw new InvalidDataException($"{_name}: is damaged: has two JPEG frame headers");
        _frame = JpegFrame.Parse(marker, body, _data.Length, _name, _options);
    }

    private void ReadExif(ReadOnlySpan<byte> body)
    {
        if (body.StartsWith("Exif\0"u8) && body.Length > 6) _orientation = ExifOrientation.Read(body[6..]);
    }

    private readonly void ReadQuantizers(ReadOnlySpan<byte> body)
    {
        while (body.Length > 0)
        {
            int index = body[0] & 15, bytes = body[0] >> 4 == 0 ? 1 : 2;
            if (index > 3 || body.Length < 1 + 64 * bytes) throw Malformed("quantization table", body.Length);
            var table = new ushort[64];
            for (int k = 0; k < 64; k++)
                table[ZigZag[k]] = bytes == 1 ? body[1 + k] : (ushort)(body[1 + 2 * k] << 8 | body[2 + 2 * k]);
            _quantizers[index] = table;
            body = body[(1 + 64 * bytes)..];
        }
    }

    private readonly void ReadHuffmanTables(ReadOnlySpan<byte> body)
    {
        while (body.Length > 0)
        {
            if (body.Length < 17) throw Malformed("Huffman table", body.Length);
            int kind = body[0] >> 4, index = body[0] & 15, count = 0;
            foreach (byte length in body.Slice(1, 16)) count += length;
            if (kind > 1 || index > 3 || count > 256 || body.Length < 17 + count) throw Malformed("Huffman table", body.Length);
            (kind == 0 ? _dcTables : _acTables)[index] = new JpegHuffmanTable(body.Slice(1, 16), body.Slice(17, count), _name);
            body = body[(17 + count)..];
        }
    }

    private void ReadScan(ReadOnlySpan<byte> body)
    {
        if (_frame is null) throw new InvalidDataException($"{_name}: is damaged: JPEG scan before the frame header");
        if (++_scans > MaxScans) throw new InvalidDataException($"{_name}: has more than {MaxScans} JPEG scans");
        int count = body.Length == 0 ? 0 : body[0];
        if (count is < 1 or > 4 || body.Length != 4 + 2 * count) throw Malformed("scan header", body.Length);
        var components = new JpegComponent[count];
        var dc = new JpegHuffmanTable?[count];
        var ac = new JpegHuffmanTable?[count];
        for (int i = 0; i < count; i++)
        {
            byte id = body[1 + 2 * i], tables = body[2 + 2 * i];
            components[i] = FindComponent(_frame, id, components.AsSpan(0, i));
            LatchQuantizer(components[i]);
            (dc[i], ac[i]) = (_dcTables[(tables >> 4) & 3], _acTables[tables & 3]);
        }
        ReadOnlySpan<byte> band = body[(1 + 2 * count)..];
        JpegScan scan = CreateScan(components, dc, ac, band);
        _position = new JpegScanDecoder(_data, _position, _frame, scan, _name).Decode();
    }

    private readonly JpegComponent FindComponent(JpegFrame frame, byte id, ReadOnlySpan<JpegComponent> before)
    {
        JpegComponent? found = Array.Find(frame.Components, component => component.Id == id);
        if (found is null || before.Contains(found))
            throw new InvalidDataException($"{_name}: is damaged: JPEG scan names component {id}, which the frame has not or the scan names twice");
        return found;
    }

    private readonly void LatchQuantizer(JpegComponent component)
    {
        component.QuantizerTable ??= _quantizers[component.Quantizer]
            ?? throw new InvalidDataException($"{_name}: is damaged: JPEG quantization table {component.Quantizer} is missing");
    }

    private readonly JpegScan CreateScan(JpegComponent[] components, JpegHuffmanTable?[] dc, JpegHuffmanTable?[] ac, ReadOnlySpan<byte> band)
    {
        bool progressive = _frame!.IsProgressive;
        (int start, int end, int high, int low) = progressive ? (band[0], band[1], band[2] >> 4, band[2] & 15) : (0, 63, 0, 0);
        bool valid = start <= end && end <= 63 && low <= 13 && (high == 0 || high == low + 1)
            && (!progressive || (start == 0 ? end == 0 : components.Length == 1));
        if (!valid) throw new InvalidDataException($"{_name}: is damaged: JPEG scan of coefficients {start} to {end}, bits {high} to {low}, is not allowed");
        bool needsDc = start == 0 && high == 0, needsAc = end > 0;
        if (needsDc && dc.Contains(null) || needsAc && ac.Contains(null))
            throw new InvalidDataException($"{_name}: is damaged: a JPEG scan uses a Huffman table that the file does not define");
        return new JpegScan
        {
            Components = components,
            DcTables = dc,
            AcTables = ac,
            Start = start,
            End = end,
            High = high,
            Low = low,
            RestartInterval = _restartInterval,
        };
    }

    private readonly Image Finish()
    {
        if (_frame is null) throw new InvalidDataException($"{_name}: is damaged: JPEG without a frame header");
        if (!_frame.Components.All(component => component.IsSeen))
            throw new InvalidDataException($"{_name}: is truncated: JPEG ends before every component has a scan");
        if (_frame.IsProgressive) TransformAll(_frame);
        Image image = JpegOutput.Render(_frame, ColorOf(_frame));
        return _options.ApplyOrientation ? ExifOrientation.Apply(image, _orientation) : image;
    }

    private static void TransformAll(JpegFrame frame)
    {
        foreach (JpegComponent component in frame.Components)
            for (int y = 0; y < component.BlocksHigh; y++)
                for (int x = 0; x < component.BlocksWide; x++)
                    JpegInverseDct.Transform(component.Block(x, y), component.QuantizerTable, component.Samples.AsSpan((y * component.Stride + x) * 8), component.Stride);
    }

    /// <summary>JFIF means YCbCr; else Adobe's marker decides; else component ids "RGB" mean RGB. Four components are CMYK unless Adobe says YCCK.</summary>
    private readonly JpegColor ColorOf(JpegFrame frame)
    {
        JpegComponent[] c = frame.Components;
        if (c.Length == 1) return JpegColor.Grey;
        if (c.Length == 4) return _adobeTransform > 0 ? JpegColor.Ycck : JpegColor.Cmyk;
        if (_isJfif) return JpegColor.YCbCr;
        if (_adobeTransform >= 0) return _adobeTransform == 0 ? JpegColor.Rgb : JpegColor.YCbCr;
        return (c[0].Id, c[1].Id, c[2].Id) is ((byte)'R', (byte)'G', (byte)'B') ? JpegColor.Rgb : JpegColor.YCbCr;
    }
}
