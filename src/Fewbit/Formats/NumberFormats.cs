using System.Globalization;
using System.Text.RegularExpressions;
using Fewbit.Tensors;

namespace Fewbit.Formats;

/// <summary>Number formats by the names that users write.</summary>
public static partial class NumberFormats
{
    /// <summary>What a name may be: the end of messages.</summary>
    public const string Expected = "int1 to int16, uint1 to uint16, 'int8 narrow', fp3e1m1 to fp8e7m0 (endings: fn, fnuz, ieee, finite, then bN for a bias), " +
        "pot2 to pot8, upot1 to upot7, apot2 to apot8, uapot1 to uapot8 or codebook(file)";

    /// <summary>The format of a name.</summary>
    /// <remarks>
    /// Floats without an ending are IEEE-like at 8 bits (fp8e5m2) and numbers alone below (fp6e3m2, fp4e2m1). fn: one NaN, no infinity (fp8e4m3fn);
    /// fnuz: NaN in place of -0; finite: numbers alone. b11 behind that sets the exponent's bias.
    /// </remarks>
    /// <exception cref="ArgumentException">There is no such format.</exception>
    /// <exception cref="FileNotFoundException">There is no such codebook.</exception>
    /// <exception cref="InvalidDataException">The file does not hold a codebook.</exception>
    public static NumberFormat Parse(string name)
    {
        if (Codebook().Match(name) is { Success: true } codebook) return CodebookFormat.Read(codebook.Groups["file"].Value);
        try
        {
            if (Integer().Match(name) is { Success: true } integer) return IntegerOf(integer, name);
            if (Power().Match(name) is { Success: true } power) return new PowerOfTwoFormat(Int(power, "bits"), !power.Groups["u"].Success, power.Groups["a"].Success);
            if (Float().Match(name) is { Success: true } match && FloatOf(match) is { } format) return format;
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw Unknown(name, e);
        }
        throw Unknown(name, null);
    }

    private static IntegerFormat IntegerOf(Match match, string name)
    {
        IntegerFormat format = new(Int(match, "bits"), !match.Groups["u"].Success, match.Groups["narrow"].Success);
        // Without its lowest code a format of one bit has only 0; unsigned ones drop nothing.
        return format is { IsNarrow: true } and ({ BitWidth: 1 } or { IsSigned: false }) ? throw Unknown(name, null) : format;
    }

    private static MiniFloatFormat? FloatOf(Match match)
    {
        (int bits, int exponent, int mantissa) = (Int(match, "bits"), Int(match, "e"), Int(match, "m"));
        if (bits != 1 + exponent + mantissa || bits > 8) return null;
        string ending = match.Groups["ending"].Value;
        SpecialCodes special = ending switch
        {
            "fn" => SpecialCodes.OneNaN,
            "fnuz" => SpecialCodes.NegativeZero,
            "ieee" => SpecialCodes.Ieee,
            "" when bits == 8 => SpecialCodes.Ieee,
            _ => SpecialCodes.None,
        };
        var format = new MiniFloatFormat(exponent, mantissa, special);
        return match.Groups["bias"].Success ? format with { Bias = Int(match, "bias") } : format;
    }

    private static ArgumentException Unknown(string name, Exception? cause) => new($"there is no number format '{name}', expected {Expected}", nameof(name), cause);

    private static int Int(Match match, string group) => int.Parse(match.Groups[group].ValueSpan, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^(?<u>u)?int(?<bits>[0-9]{1,2})(?<narrow> narrow)?\z", RegexOptions.ExplicitCapture)]
    private static partial Regex Integer();

    [GeneratedRegex(@"^(?<u>u)?(?<a>a)?pot(?<bits>[0-9])\z", RegexOptions.ExplicitCapture)]
    private static partial Regex Power();

    [GeneratedRegex(@"^fp(?<bits>[0-9])e(?<e>[0-9])m(?<m>[0-9])(?<ending>fnuz|fn|ieee|finite)?(b(?<bias>-?[0-9]{1,3}))?\z", RegexOptions.ExplicitCapture)]
    private static partial Regex Float();

    [GeneratedRegex(@"^codebook\((?<file>.+)\)\z", RegexOptions.ExplicitCapture)]
    private static partial Regex Codebook();
}
