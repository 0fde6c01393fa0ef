namespace Fewbit.Tensors.Kernels;

/// <summary>8-bit weights in the order in which the inner loop reads them, with their sums and zero points. The memory is the caller's.</summary>
/// <remarks>
/// Word (c4, tap) of an output channel holds input channels 4*c4 to 4*c4+3 of that tap; a matrix has one tap. Unsigned weights are stored as code - 128.
/// Sum over x' w' of codes becomes the sum of (x - zx)(w - zw) by: - zx * sum(w) - zw * sum(x) + count * zx * zw. Only weights with a zero point need sum(x).
/// </remarks>
internal readonly unsafe struct PackedInt8
{
    private const int HeaderBytes = 64;
    private readonly byte* _data;

    public readonly int Outer, Channels, Taps, Panel;

    private PackedInt8(byte* data, int outer, int channels, int taps, int panel)
    {
        _data = data;
        (Outer, Channels, Taps, Panel) = (outer, channels, taps, panel);
    }

    public int Words => (Channels + 3) / 4 * Taps;

    public int PanelTotal => (Outer + Panel - 1) / Panel;

    /// <summary>Sum of the weights of each output channel (as stored).</summary>
    public int* Sums => (int*)(_data + HeaderBytes + (long)(PanelTotal + 1) * PanelBytes);

    /// <summary>Zero point of each output channel (as stored).</summary>
    public int* ZeroPoints => Sums + PanelTotal * Panel;

    public bool HasZeroPoints => ((int*)_data)[1] != 0;

    /// <summary>A panel whose first row or column is ones: multiplied with activations, it gives their sums.</summary>
    public byte* Ones => PanelAt(PanelTotal);

    private long PanelBytes => 4L * Words * Panel;

    public byte* PanelAt(int panel) => _data + HeaderBytes + panel * PanelBytes;

    public static long Bytes(int outer, int channels, int taps, int panel)
    {
        var packed = new PackedInt8(null, outer, channels, taps, panel);
        return (HeaderBytes + (packed.PanelTotal + 1) * packed.PanelBytes + 2L * sizeof(int) * packed.PanelTotal * panel + 63) / 64 * 64;
    }

    /// <summary>Names memory that <see cref="Pack"/> has filled on the same kernel path.</summary>
    public static PackedInt8 Over(void* data, int outer, int channels, int taps, int panel, KernelPath path)
    {
        if (((int*)data)[0] != (int)path) throw new InvalidOperationException($"Bug in the caller: int8 weights were packed for another kernel path than '{path}'");
        return new PackedInt8((byte*)data, outer, channels, taps, panel);
    }

    /// <summary>Fills <see cref="Bytes"/> bytes at <paramref name="destination"/>.</summary>
    public static void Pack(in Int8Weights source, int outer, int channels, int taps, int panel, KernelPath path, void* destination)
    {
        new Span<byte>(destination, (int)Math.Min(int.MaxValue, Bytes(outer, channels, taps, panel))).Clear();
        var packed = new PackedInt8((byte*)destination, outer, channels, taps, panel);
        ((int*)destination)[0] = (int)path;
        int flip = source.IsSigned ? 0 : 0x80;
        for (int o = 0; o < outer; o++)
        {
            byte* panelStart = packed.PanelAt(o / panel);
            int sum = 0;
            for (int c = 0; c < channels; c++)
            {
                byte* from = source.Data + o * source.OuterStride + c * source.ChannelStride;
                byte* to = panelStart + 4L * ((long)(c / 4) * taps * panel + o % panel) + c % 4;
                for (int tap = 0; tap < taps; tap++, to += 4 * panel)
                {
                    *to = (byte)(from[tap] ^ flip);
                    sum += (sbyte)*to;
                }
            }
            packed.Sums[o] = sum;
            packed.ZeroPoints[o] = source.ZeroPointOf(o);
            if (packed.ZeroPoints[o] != 0) ((int*)destination)[1] = 1;
        }
        for (int c = 0; c < channels; c++)
            for (int tap = 0; tap < taps; tap++) packed.Ones[4L * ((long)(c / 4) * taps + tap) * panel + c % 4] = 1;
    }
}

/// <summary>8-bit weights as a model stores them.</summary>
/// <remarks>Element (output channel, input channel, tap) lies at outer * OuterStride + channel * ChannelStride + tap.</remarks>
internal unsafe struct Int8Weights
{
    public byte* Data;
    public bool IsSigned;

    /// <summary>Zero points, of the type of the weights: one, or one per output channel; null for 0.</summary>
    public byte* ZeroPoints;

    public bool IsPerChannel;
    public long OuterStride, ChannelStride;

    /// <summary>The zero point beside the stored code (unsigned codes are stored minus 128).</summary>
    internal readonly int ZeroPointOf(int outer)
    {
        byte code = ZeroPoints == null ? (byte)0 : ZeroPoints[IsPerChannel ? outer : 0];
        return IsSigned ? (sbyte)code : code - 128;
    }
}

/// <summary>8-bit activations: type and zero point. Signed codes are computed on as code + 128.</summary>
internal readonly record struct Int8Input(int ZeroPoint, bool IsSigned)
{
    internal uint Flip => IsSigned ? 0x80808080u : 0;

    internal int StoredZeroPoint => IsSigned ? ZeroPoint + 128 : ZeroPoint;
}
