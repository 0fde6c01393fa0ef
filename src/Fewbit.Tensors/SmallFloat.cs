namespace Fewbit.Tensors;

/// <summary>Which codes of a small float stand for no finite number.</summary>
public enum SpecialCodes
{
    /// <summary>None: every code is a number (float4e2m1, the floats of 6 bits of OCP Microscaling Formats 1.0).</summary>
    None,

    /// <summary>The highest exponent is infinity and NaN, as in IEEE 754 (float8e5m2).</summary>
    Ieee,

    /// <summary>All ones is NaN; there is no infinity (float8e4m3fn).</summary>
    OneNaN,

    /// <summary>The code of -0 is NaN; there is no infinity and no -0 (float8e4m3fnuz).</summary>
    NegativeZero,
}

/// <summary>A sign, exponent bits and mantissa bits: codes to numbers and back, with gradual underflow.</summary>
/// <param name="ExponentBits">At least 1.</param>
/// <param name="MantissaBits">At least 0.</param>
/// <param name="Bias">What is subtracted from the exponent's bits.</param>
/// <param name="Special">Codes that are no numbers.</param>
internal readonly record struct SmallFloat(int ExponentBits, int MantissaBits, int Bias, SpecialCodes Special)
{
    /// <summary>The code of -0: the sign alone.</summary>
    public int Sign => 1 << (ExponentBits + MantissaBits);

    /// <summary>The code of the largest number.</summary>
    public int Largest => Special switch
    {
        SpecialCodes.Ieee => Infinity - 1,
        SpecialCodes.OneNaN => Sign - 2,
        _ => Sign - 1,
    };

    /// <summary>The code that a NaN gets: where the format has none, that of -0.</summary>
    public int NotANumber => Special switch
    {
        SpecialCodes.Ieee => Infinity | 1 << (MantissaBits - 1),
        SpecialCodes.OneNaN => Sign - 1,
        _ => Sign,
    };

    /// <summary>True where NaN and 0 exist with both signs.</summary>
    public bool HasNegativeZero => Special != SpecialCodes.NegativeZero;

    private int Infinity => Special switch
    {
        SpecialCodes.Ieee => ((1 << ExponentBits) - 1) << MantissaBits,
        SpecialCodes.None => Sign - 1,
        _ => NotANumber,
    };

    /// <summary>The nearest code, ties to an even mantissa; without mantissa bits, ties to the higher power of two.</summary>
    /// <param name="value">Any number.</param>
    /// <param name="saturate">True: numbers beyond the largest become the largest. False: they become infinity or NaN, where the format has it.</param>
    public int Encode(float value, bool saturate = true)
    {
        int sign = float.IsNegative(value) ? Sign : 0;
        if (float.IsNaN(value)) return NotANumber | (Special is SpecialCodes.Ieee or SpecialCodes.OneNaN ? sign : 0);
        if (float.IsInfinity(value)) return Beyond(sign, saturate);
        double magnitude = Math.Abs((double)value);
        int exponent = Math.Max(magnitude == 0 ? int.MinValue : Math.ILogB(magnitude), 1 - Bias);
        double steps = Math.Round(Math.ScaleB(magnitude, MantissaBits - exponent), MidpointRounding.ToEven);
        // A carry into the next exponent, and out of the subnormal numbers, is the ordinary carry of the code.
        double code = ((double)(exponent + Bias - 1) * (1 << MantissaBits)) + steps;
        if (code > Largest) return Beyond(sign, saturate);
        return code == 0 && !HasNegativeZero ? 0 : sign | (int)code;
    }

    /// <summary>The number of a code, or infinity, or NaN.</summary>
    public float Decode(int code)
    {
        int magnitude = code & (Sign - 1);
        bool isNegative = (code & Sign) != 0;
        if (!HasNegativeZero && code == Sign) return float.NaN;
        if (magnitude > Largest) return magnitude == Infinity && Infinity != NotANumber ? isNegative ? float.NegativeInfinity : float.PositiveInfinity : float.NaN;
        int exponent = magnitude >> MantissaBits, fraction = magnitude & ((1 << MantissaBits) - 1);
        double value = exponent == 0 ? Math.ScaleB(fraction, 1 - Bias - MantissaBits) : Math.ScaleB(fraction + (1 << MantissaBits), exponent - Bias - MantissaBits);
        return (float)(isNegative ? -value : value);
    }

    private int Beyond(int sign, bool saturate) => saturate ? sign | Largest : HasNegativeZero ? sign | Infinity : NotANumber;
}
