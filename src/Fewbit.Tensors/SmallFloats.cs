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
    private static readonly (ElementType Type, SmallFloat Float)[] Floats =
    [
        (ElementType.Float8E4M3FN, new(4, 3, Bias: 7, SpecialCodes.OneNaN)),
        (ElementType.Float8E4M3FNUZ, new(4, 3, Bias: 8, SpecialCodes.NegativeZero)),
        (ElementType.Float8E5M2, new(5, 2, Bias: 15, SpecialCodes.Ieee)),
        (ElementType.Float8E5M2FNUZ, new(5, 2, Bias: 16, SpecialCodes.NegativeZero)),
        (ElementType.Float4E2M1, new(2, 1, Bias: 1, SpecialCodes.None)),
    ];

    private static readonly float[]?[] Tables = new float[]?[32];

    /// <summary>True for the types of this class.</summary>
    public static bool Contains(ElementType type) => type == ElementType.Float8E8M0 || Array.Exists(Floats, pair => pair.Type == type);

    /// <summary>The element type whose elements are these codes; null where there is none.</summary>
    public static ElementType? TypeOf(SmallFloat format) => Array.FindIndex(Floats, pair => pair.Float == format) is >= 0 and var found ? Floats[found].Type : null;

    /// <summary>The number of each code: 256 of them, or 16.</summary>
    public static float[] Table(ElementType type) => Tables[(int)type] ??= MakeTable(type);

    /// <summary>The nearest code, ties to even.</summary>
    /// <param name="type">One of the types of this class, E8M0 excepted.</param>
    /// <param name="value">Any number.</param>
    /// <param name="saturate">True: numbers beyond the largest become the largest. False: they become infinity or NaN.</param>
    public static byte Encode(ElementType type, float value, bool saturate = true) => (byte)Of(type).Encode(value, saturate);

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

    /// <summary>The bits of a type.</summary>
    private static SmallFloat Of(ElementType type) => Array.FindIndex(Floats, pair => pair.Type == type) is >= 0 and var found ? Floats[found].Float
        : throw new ArgumentException($"{type.Name()} is no float of 8 or 4 bits", nameof(type));

    private static float[] MakeTable(ElementType type)
    {
        var table = new float[1 << type.BitWidth()];
        for (int code = 0; code < table.Length; code++) table[code] = type == ElementType.Float8E8M0 ? Power(code) : Of(type).Decode(code);
        return table;
    }

    private static float Power(int code) => code == 0xFF ? float.NaN : (float)Math.ScaleB(1.0, code - 127);
}
