namespace Fewbit.Tensors;

/// <summary>How a number between two powers of two becomes one of them.</summary>
internal enum PowerRounding
{
    /// <summary>To the higher power.</summary>
    Up,

    /// <summary>To the lower power.</summary>
    Down,

    /// <summary>To the nearer power, the higher one half-way.</summary>
    Nearest,
}

/// <summary>The 8- and 4-bit floating-point types: codes to numbers and back.</summary>
/// <remarks>Micikevicius et al., "FP8 Formats for Deep Learning", 2022; Noune et al. (FNUZ), 2022; OCP Microscaling Formats 1.0 (E8M0, E2M1).</remarks>
internal static class SmallFloats
{
    private static readonly Format[] Formats =
    [
        new(ElementType.Float8E4M3FN, Mantissa: 3, Bias: 7, Largest: 0x7E, Infinity: 0x7F, NotANumber: 0x7F, IsSignOfZeroKept: true),
        new(ElementType.Float8E4M3FNUZ, Mantissa: 3, Bias: 8, Largest: 0x7F, Infinity: 0x80, NotANumber: 0x80, IsSignOfZeroKept: false),
        new(ElementType.Float8E5M2, Mantissa: 2, Bias: 15, Largest: 0x7B, Infinity: 0x7C, NotANumber: 0x7E, IsSignOfZeroKept: true),
        new(ElementType.Float8E5M2FNUZ, Mantissa: 2, Bias: 16, Largest: 0x7F, Infinity: 0x80, NotANumber: 0x80, IsSignOfZeroKept: false),
        new(ElementType.Float4E2M1, Mantissa: 1, Bias: 1, Largest: 0x7, Infinity: 0x7, NotANumber: 0x8, IsSignOfZeroKept: true),
    ];

    private static readonly float[]?[] Tables = new float[]?[32];

    /// <summary>True for the types of this class.</summary>
    public static bool Contains(ElementType type) => type == ElementType.Float8E8M0 || Array.Exists(Formats, format => format.Type == type);

    /// <summary>The number of each code: 256 of them, or 16.</summary>
    public static float[] Table(ElementType type) => Tables[(int)type] ??= MakeTable(type);

    /// <summary>The nearest code, ties to even.</summary>
    /// <param name="type">One of the types of this class, E8M0 excepted.</param>
    /// <param name="value">Any number.</param>
    /// <param name="saturate">True: numbers beyond the largest become the largest. False: they become infinity or NaN.</param>
    public static byte Encode(ElementType type, float value, bool saturate = true)
    {
        Format format = Of(type);
        int signBit = type == ElementType.Float4E2M1 ? 0x8 : 0x80;
        int sign = float.IsNegative(value) ? signBit : 0;
        if (float.IsNaN(value)) return (byte)(format.NotANumber | (format.IsSignOfZeroKept && type != ElementType.Float4E2M1 ? sign : 0));
        if (float.IsInfinity(value) && !saturate) return format.IsSignOfZeroKept ? (byte)(sign | format.Infinity) : format.NotANumber;
        if (float.IsInfinity(value)) return (byte)(sign | format.Largest);
        double magnitude = Math.Abs((double)value);
        int exponent = Math.Max(magnitude == 0 ? int.MinValue : Math.ILogB(magnitude), 1 - format.Bias);
        double steps = Math.Round(Math.ScaleB(magnitude, format.Mantissa - exponent), MidpointRounding.ToEven);
        // A carry into the next exponent, and out of the subnormal numbers, is the ordinary carry of the code.
        double code = ((exponent + format.Bias - 1) << format.Mantissa) + steps;
        if (code > format.Largest) return saturate ? (byte)(sign | format.Largest) : format.IsSignOfZeroKept ? (byte)(sign | format.Infinity) : format.NotANumber;
        return code == 0 && !format.IsSignOfZeroKept ? (byte)0 : (byte)(sign | (int)code);
    }

    /// <summary>The power of two for a number; NaN for NaN and negative numbers. Numbers beyond the powers become the nearest one, or NaN without <paramref name="saturate"/>.</summary>
    public static byte EncodePower(float value, bool saturate, PowerRounding rounding)
    {
        if (float.IsNaN(value) || value < 0) return 0xFF;
        if (float.IsInfinity(value)) return saturate ? (byte)0xFE : (byte)0xFF;
        if (value == 0) return saturate ? (byte)0 : (byte)0xFF;
        int exponent = Math.ILogB(value);
        double fraction = value / Math.ScaleB(1.0, exponent);
        bool isUp = rounding switch
        {
            PowerRounding.Up => fraction > 1,
            PowerRounding.Nearest => fraction >= 1.5,
            _ => false,
        };
        int code = exponent + (isUp ? 1 : 0) + 127;
        return code is >= 0 and <= 0xFE ? (byte)code : saturate ? (byte)Math.Clamp(code, 0, 0xFE) : (byte)0xFF;
    }

    private static Format Of(ElementType type) => Array.Find(Formats, format => format.Type == type)
        ?? throw new ArgumentException($"{type.Name()} is no float of 8 or 4 bits", nameof(type));

    private static float[] MakeTable(ElementType type)
    {
        var table = new float[1 << type.BitWidth()];
        for (int code = 0; code < table.Length; code++) table[code] = type == ElementType.Float8E8M0 ? Power(code) : Of(type).Decode(code, table.Length / 2);
        return table;
    }

    private static float Power(int code) => code == 0xFF ? float.NaN : (float)Math.ScaleB(1.0, code - 127);

    private sealed record Format(ElementType Type, int Mantissa, int Bias, byte Largest, byte Infinity, byte NotANumber, bool IsSignOfZeroKept)
    {
        public float Decode(int code, int signBit)
        {
            int magnitude = code & (signBit - 1);
            bool isNegative = (code & signBit) != 0;
            if (!IsSignOfZeroKept && code == signBit) return float.NaN;
            if (magnitude > Largest) return magnitude == Infinity && Infinity != NotANumber ? isNegative ? float.NegativeInfinity : float.PositiveInfinity : float.NaN;
            int exponent = magnitude >> Mantissa, fraction = magnitude & ((1 << Mantissa) - 1);
            double value = exponent == 0 ? Math.ScaleB(fraction, 1 - Bias - Mantissa) : Math.ScaleB(fraction + (1 << Mantissa), exponent - Bias - Mantissa);
            return (float)(isNegative ? -value : value);
        }
    }
}
