namespace Fewbit.Data.Images.Jpeg;

/// <summary>What one scan (SOS) decodes: components with their tables, a band of coefficients and its bit position.</summary>
internal sealed class JpegScan
{
    public required JpegComponent[] Components { get; init; }
    public required JpegHuffmanTable?[] DcTables { get; init; }
    public required JpegHuffmanTable?[] AcTables { get; init; }

    /// <summary>First and last coefficient in zigzag order; 0 and 63 for sequential files.</summary>
    public int Start { get; init; }
    public int End { get; init; } = 63;

    /// <summary>Progressive: bit position of the previous pass (0 for the first) and of this one.</summary>
    public int High { get; init; }
    public int Low { get; init; }
    public required int RestartInterval { get; init; }
}

/// <summary>Walks the MCUs of a scan, with its restart markers, and hands each block to the sequential or progressive decoder.</summary>
internal ref struct JpegScanDecoder
{
    private readonly ReadOnlySpan<byte> _data;
    private readonly JpegFrame _frame;
    private readonly JpegScan _scan;
    private readonly string _name;
    private readonly int[] _predictors;
    private JpegBitReader _reader;
    private int _endOfBandRun;
    private int _restart;      // number of the next restart marker, 0 to 7
    private int _mcusLeft;     // MCUs until that marker

    public JpegScanDecoder(ReadOnlySpan<byte> data, int position, JpegFrame frame, JpegScan scan, string name)
    {
        _data = data;
        (_frame, _scan, _name) = (frame, scan, name);
        _predictors = new int[scan.Components.Length];
        _reader = new JpegBitReader(data, position);
        _mcusLeft = scan.RestartInterval;
    }

    /// <returns>Where the next marker is to be looked for.</returns>
    public int Decode()
    {
        if (_scan.Components.Length == 1) DecodeSingle();
        else DecodeInterleaved();
        return _reader.Position;
    }

    private void DecodeSingle()
    {
        JpegComponent component = _scan.Components[0];
        for (int y = 0; y < component.BlocksHigh; y++)
        {
            for (int x = 0; x < component.BlocksWide; x++)
            {
                StartMcu();
                DecodeBlock(0, x, y);
                CheckOverrun();
            }
        }
    }

    private void DecodeInterleaved()
    {
        JpegComponent[] components = _scan.Components;
        for (int mcuY = 0; mcuY < _frame.McusHigh; mcuY++)
        {
            for (int mcuX = 0; mcuX < _frame.McusWide; mcuX++)
            {
                StartMcu();
                for (int i = 0; i < components.Length; i++)
                {
                    (int h, int v) = (components[i].H, components[i].V);
                    for (int block = 0; block < h * v; block++) DecodeBlock(i, mcuX * h + block % h, mcuY * v + block / h);
                }
                CheckOverrun();
            }
        }
    }

    private readonly void CheckOverrun()
    {
        if (_reader.IsOverrun)
            throw new InvalidDataException($"{_name}: is truncated or damaged: the entropy-coded data end at byte {_reader.Position} before the picture is complete");
    }

    private void StartMcu()
    {
        if (_scan.RestartInterval == 0) return;
        if (_mcusLeft == 0)
        {
            ReadRestartMarker();
            _mcusLeft = _scan.RestartInterval;
        }
        _mcusLeft--;
    }

    private void ReadRestartMarker()
    {
        int position = JpegDecoder.FindMarker(_data, _reader.Position);
        int found = position < 0 ? -1 : _data[position + 1], expected = 0xD0 + _restart;
        if (found != expected)
            throw new InvalidDataException($"{_name}: is damaged: restart marker FF{expected:X2} expected, found {(found < 0 ? "the end of the file" : $"FF{found:X2}")}");
        _restart = (_restart + 1) & 7;
        _reader.Restart(position + 2);
        Array.Clear(_predictors);
        _endOfBandRun = 0;
    }

    private void DecodeBlock(int index, int x, int y)
    {
        if (_frame.IsProgressive) DecodeProgressive(index, _scan.Components[index].Block(x, y));
        else DecodeSequential(index, x, y);
    }

    private void DecodeSequential(int index, int x, int y)
    {
        JpegComponent component = _scan.Components[index];
        Span<short> block = stackalloc short[64];
        block.Clear();
        block[0] = ReadDc(index);
        JpegHuffmanTable table = _scan.AcTables[index]!;
        for (int k = 1; k < 64; k++)
        {
            _reader.Fill();
            int symbol = Symbol(table);
            int size = symbol & 15;
            if (size == 0)
            {
                if (symbol != 0xF0) break;
                k += 15;
                continue;
            }
            k += symbol >> 4;
            if (k > 63) throw Damaged("coefficient run leaves the block");
            block[JpegDecoder.ZigZag[k]] = (short)_reader.ReadSigned(size);
        }
        JpegInverseDct.Transform(block, component.QuantizerTable, component.Samples.AsSpan((y * component.Stride + x) * 8), component.Stride);
    }

    private short ReadDc(int index)
    {
        _reader.Fill();
        int size = Symbol(_scan.DcTables[index]!);
        if (size > 15) throw Damaged($"DC difference of {size} bits");
        if (size > 0) _predictors[index] += _reader.ReadSigned(size);
        return (short)_predictors[index];
    }

    private void DecodeProgressive(int index, Span<short> block)
    {
        if (_scan.Start == 0)
        {
            if (_scan.High == 0) block[0] = (short)(ReadDc(index) << _scan.Low);
            else
            {
                _reader.Fill();
                if (_reader.Read(1) != 0) block[0] |= (short)(1 << _scan.Low);
            }
        }
        else if (_scan.High == 0) DecodeAcFirst(block);
        else DecodeAcRefine(block);
    }

    private void DecodeAcFirst(Span<short> block)
    {
        if (_endOfBandRun > 0)
        {
            _endOfBandRun--;
            return;
        }
        JpegHuffmanTable table = _scan.AcTables[0]!;
        for (int k = _scan.Start; k <= _scan.End; k++)
        {
            _reader.Fill();
            int symbol = Symbol(table), run = symbol >> 4, size = symbol & 15;
            if (size == 0)
            {
                if (run < 15)
                {
                    _endOfBandRun = ReadRun(run) - 1;
                    return;
                }
                k += 15;
                continue;
            }
            k += run;
            if (k > 63) throw Damaged("coefficient run leaves the block");
            block[JpegDecoder.ZigZag[k]] = (short)(_reader.ReadSigned(size) << _scan.Low);
        }
    }

    /// <summary>The length of an end-of-band run of class <paramref name="size"/> (0 to 14), this block included.</summary>
    private int ReadRun(int size) => (1 << size) + (size == 0 ? 0 : _reader.Read(size));

    private void DecodeAcRefine(Span<short> block)
    {
        int k = _scan.Start;
        if (_endOfBandRun == 0)
        {
            for (; k <= _scan.End; k++)
            {
                _reader.Fill();
                int symbol = Symbol(_scan.AcTables[0]!), run = symbol >> 4, size = symbol & 15;
                int value = 0;
                if (size > 1) throw Damaged($"refinement of {size} bits");
                if (size == 1) value = _reader.Read(1) != 0 ? 1 << _scan.Low : -1 << _scan.Low;
                else if (run < 15)
                {
                    _endOfBandRun = ReadRun(run);
                    break;
                }
                k = RefineUntilZeros(block, k, run);
                if (value == 0) continue;
                if (k > _scan.End) throw Damaged("coefficient run leaves the band");
                block[JpegDecoder.ZigZag[k]] = (short)value;
            }
        }
        if (_endOfBandRun == 0) return;
        RefineUntilZeros(block, k, int.MaxValue);
        _endOfBandRun--;
    }

    /// <summary>Refines the coefficients known to be nonzero from k on and stops at the zero that follows <paramref name="zeros"/> zeros.</summary>
    private int RefineUntilZeros(Span<short> block, int k, int zeros)
    {
        for (; k <= _scan.End; k++)
        {
            ref short value = ref block[JpegDecoder.ZigZag[k]];
            if (value == 0)
            {
                if (--zeros < 0) break;
                continue;
            }
            _reader.Fill();
            if (_reader.Read(1) == 0 || (Math.Abs((int)value) & (1 << _scan.Low)) != 0) continue;
            value += (short)(value > 0 ? 1 << _scan.Low : -1 << _scan.Low);
        }
        return k;
    }

    private int Symbol(JpegHuffmanTable table)
    {
        int symbol = table.Decode(ref _reader);
        return symbol >= 0 ? symbol : throw Damaged("no Huffman code matches");
    }

    private readonly InvalidDataException Damaged(string what) => new($"{_name}: is truncated or damaged: {what} near byte {_reader.Position}");
}
