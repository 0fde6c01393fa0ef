using System.Globalization;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Formats;

/// <summary>0 and powers of two, or sums of a few of them, scaled so that the highest is 1: products become shifts.</summary>
/// <param name="BitWidth">2 to 8 with sign, 1 to 7 without; additive without sign up to 8.</param>
/// <param name="IsSigned">True: a sign bit above the magnitude.</param>
/// <param name="IsAdditive">True: each magnitude is a sum of terms of two bits, 0 or one of three powers of two; an odd bit adds a term of its own.</param>
/// <remarks>
/// Li, Dong, Wang, "Additive Powers-of-Two Quantization", 2020, arXiv:1909.13144: terms of two bits. The code of a magnitude is its place in ascending
/// order, so half-way goes to the even place (the authors' code: to the lower). The code of -0 stands for 0.
/// </remarks>
public sealed record PowerOfTwoFormat(int BitWidth, bool IsSigned, bool IsAdditive) : LevelFormat
{
    /// <inheritdoc/>
    public override int BitWidth { get; } = Require.InRange(BitWidth, IsSigned ? 2 : 1, IsSigned || IsAdditive ? 8 : 7);

    /// <inheritdoc/>
    public override string Name => string.Create(CultureInfo.InvariantCulture, $"{(IsSigned ? "" : "u")}{(IsAdditive ? "apot" : "pot")}{BitWidth}");

    private int MagnitudeBits => BitWidth - (IsSigned ? 1 : 0);

    private int Sign => 1 << MagnitudeBits;

    /// <inheritdoc/>
    public override float Decode(int code, int zeroPoint = 0)
    {
        // The levels of both signs lie around the middle one, which is 0.
        int magnitude = code & (Sign - 1);
        return Table.Levels[!IsSigned ? magnitude : (code & Sign) != 0 ? Sign - 1 - magnitude : Sign - 1 + magnitude];
    }

    /// <inheritdoc/>
    public override string ToString() => Name;

    private protected override LevelTable CreateTable()
    {
        double[] magnitudes = IsAdditive ? Sums(MagnitudeBits) : [0, .. Enumerable.Range(1, Sign - 1).Select(i => Math.ScaleB(1, i - (Sign - 1)))];
        float[] rising = Array.ConvertAll(magnitudes, magnitude => (float)(magnitude / magnitudes[^1]));
        int[] codes = [.. Enumerable.Range(0, Sign)];
        return IsSigned
            ? new([.. rising.Skip(1).Reverse().Select(magnitude => -magnitude), .. rising], [.. codes.Skip(1).Reverse().Select(code => Sign | code), .. codes])
            : new(rising, codes);
    }

    /// <summary>Terms take powers in turns: 2^-1, 2^-2 ... to the first term, the second ...; the odd bit's power stands before the last turn.</summary>
    private static double[] Sums(int bits)
    {
        int terms = bits / 2;
        bool isOdd = bits % 2 == 1;
        double[] sums = isOdd ? [0, Math.ScaleB(1, -1 - 2 * terms)] : [0];
        for (int term = 0; term < terms; term++)
        {
            double[] digits = [0, Power(1 + term), Power(1 + term + terms), Power(1 + term + 2 * terms + (isOdd ? 1 : 0))];
            sums = [.. sums.SelectMany(sum => digits.Select(digit => sum + digit))];
        }
        Array.Sort(sums);
        return sums;

        static double Power(int exponent) => Math.ScaleB(1, -exponent);
    }
}
