using System.Globalization;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Formats;

/// <summary>Small floating-point numbers of 3 to 8 bits: (-1)^sign * 2^(exponent - bias) * (1 + mantissa), with gradual underflow.</summary>
/// <param name="ExponentBits">At least 1; 2 or more with <see cref="SpecialCodes.Ieee"/>.</param>
/// <param name="MantissaBits">At least 0; 1 or more with <see cref="SpecialCodes.Ieee"/>.</param>
/// <param name="Special">Codes that are no numbers.</param>
/// <remarks>
/// Micikevicius et al., "FP8 Formats for Deep Learning", 2022, arXiv:2209.05433; Noune et al., 2022, arXiv:2206.02915 (fnuz); OCP Microscaling Formats 1.0;
/// Aggarwal et al., 2023, arXiv:2311.12359 (any split, every code a number). Ties go to the even mantissa; without mantissa bits to the higher power.
/// A real-valued bias (Kuzmin et al., 2022, arXiv:2208.09225) is a scale.
/// </remarks>
public sealed record MiniFloatFormat(int ExponentBits, int MantissaBits, SpecialCodes Special = SpecialCodes.None) : LevelFormat
{
    // Where vectors compute exactly: every number is a normal float32, the highest below 2^100.
    private const int LeastExponent = -126, GreatestExponent = 99;

    /// <summary>4 exponent bits, 3 mantissa bits, one NaN: ±448.</summary>
    public static MiniFloatFormat E4M3FN { get; } = new(4, 3, SpecialCodes.OneNaN);

    /// <summary>5 exponent bits, 2 mantissa bits, infinity and NaN: ±57344.</summary>
    public static MiniFloatFormat E5M2 { get; } = new(5, 2, SpecialCodes.Ieee);

    /// <summary>2 exponent bits, 1 mantissa bit, numbers alone: ±6.</summary>
    public static MiniFloatFormat E2M1 { get; } = new(2, 1);

    /// <summary>Bits of the exponent.</summary>
    public int ExponentBits { get; } = Require.InRange(ExponentBits, Special == SpecialCodes.Ieee ? 2 : 1, Special == SpecialCodes.Ieee ? 6 : 7);

    /// <summary>Bits of the mantissa, the leading 1 not counted.</summary>
    public int MantissaBits { get; } = Require.InRange(MantissaBits, Math.Max(Special == SpecialCodes.Ieee ? 1 : 0, 2 - ExponentBits), 7 - ExponentBits);

    /// <summary>What is subtracted from the exponent's bits: 2^(exponent bits - 1) - 1 unless given, one more with <see cref="SpecialCodes.NegativeZero"/>.</summary>
    public int Bias
    {
        get;
        init => field = Require.InRange(value, (1 << ExponentBits) - 1 - GreatestExponent, 1 - LeastExponent - MantissaBits, nameof(Bias));
    } = UsualBias(ExponentBits, Special);

    /// <inheritdoc/>
    public override int BitWidth => 1 + ExponentBits + MantissaBits;

    /// <inheritdoc/>
    public override string Name
    {
        get
        {
            string bias = Bias == UsualBias(ExponentBits, Special) ? "" : string.Create(CultureInfo.InvariantCulture, $"b{Bias}");
            return string.Create(CultureInfo.InvariantCulture, $"fp{BitWidth}e{ExponentBits}m{MantissaBits}{SuffixOf(BitWidth, Special)}{bias}");
        }
    }

    /// <inheritdoc/>
    public override ElementType? OnnxType => SmallFloats.TypeOf(Codec);

    private SmallFloat Codec => new(ExponentBits, MantissaBits, Bias, Special);

    /// <inheritdoc/>
    public override int Encode(float number, int zeroPoint = 0) => Codec.Encode(number);

    /// <summary>The code of the nearest number; beyond the ends that of the end, or of infinity or NaN.</summary>
    public int Encode(float number, bool saturate) => Codec.Encode(number, saturate);

    /// <inheritdoc/>
    public override float Decode(int code, int zeroPoint = 0) => Codec.Decode(code);

    /// <inheritdoc/>
    public override void Quantize(ReadOnlySpan<float> values, Span<int> codes, float scale, int zeroPoint = 0) => SmallFloatRounder.Codes(Codec, values, codes, scale);

    /// <inheritdoc/>
    public override string ToString() => Name;

    internal override unsafe void FakeQuantize(float* x, float* y, long rows, long inner, ReadOnlySpan<float> scales, ReadOnlySpan<int> zeroPoints) =>
        SmallFloatRounder.Run(Codec, x, y, rows, inner, scales);

    /// <summary>What a name ends in. Below 8 bits numbers alone are usual, at 8 bits IEEE's infinity and NaN.</summary>
    internal static string SuffixOf(int bitWidth, SpecialCodes special) => special switch
    {
        SpecialCodes.None => bitWidth < 8 ? "" : "finite",
        SpecialCodes.Ieee => bitWidth < 8 ? "ieee" : "",
        SpecialCodes.OneNaN => "fn",
        _ => "fnuz",
    };

    private protected override LevelTable CreateTable()
    {
        SmallFloat codec = Codec;
        // From the lowest number up: codes with the sign fall, then codes without it rise; 0 stands once.
        int[] codes = [.. Enumerable.Range(1, codec.Largest).Reverse().Select(magnitude => codec.Sign | magnitude), .. Enumerable.Range(0, codec.Largest + 1)];
        return new(Array.ConvertAll(codes, codec.Decode), codes);
    }

    private static int UsualBias(int exponentBits, SpecialCodes special) => (1 << (exponentBits - 1)) - (special == SpecialCodes.NegativeZero ? 0 : 1);
}
