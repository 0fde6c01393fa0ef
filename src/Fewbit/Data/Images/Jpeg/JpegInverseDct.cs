namespace Fewbit.Data.Images.Jpeg;

/// <summary>The accurate integer inverse DCT: bit-exact with the "islow" transform of the reference libraries.</summary>
/// <remarks>Loeffler, Ligtenberg and Moschytz, "Practical Fast 1-D DCT Algorithms with 11 Multiplications", ICASSP 1989;
/// 13-bit constants and two extra bits kept between the passes, as in the library of the Independent JPEG Group.
/// Dequantized coefficients and their first sums are kept in 16 bits, and samples saturate, as the SIMD forms of libjpeg-turbo do.</remarks>
internal static class JpegInverseDct
{
    private const int ConstBits = 13, Pass1Bits = 2;

    // round(c * 2^13)
    private const int C0298 = 2446, C0390 = 3196, C0541 = 4433, C0765 = 6270, C0899 = 7373, C1175 = 9633,
        C1501 = 12299, C1847 = 15137, C1961 = 16069, C2053 = 16819, C2562 = 20995, C3072 = 25172;

    /// <summary>Dequantizes and transforms a block of 64 coefficients (natural order) into 8 rows of 8 samples.</summary>
    public static void Transform(ReadOnlySpan<short> coefficients, ReadOnlySpan<ushort> quantizer, Span<byte> target, int stride)
    {
        if (!coefficients[1..64].ContainsAnyExcept((short)0))
        {
            FillFlat((short)(coefficients[0] * quantizer[0]), target, stride);
            return;
        }
        Span<int> work = stackalloc int[64];
        for (int x = 0; x < 8; x++) Column(coefficients, quantizer, work, x);
        for (int y = 0; y < 8; y++) Row(work.Slice(y * 8, 8), target.Slice(y * stride, 8));
    }

    private static void FillFlat(int dc, Span<byte> target, int stride)
    {
        byte sample = Sample(((dc << Pass1Bits) + (1 << (Pass1Bits + 2))) >> (Pass1Bits + 3));
        for (int y = 0; y < 8; y++) target.Slice(y * stride, 8).Fill(sample);
    }

    private static void Column(ReadOnlySpan<short> c, ReadOnlySpan<ushort> q, Span<int> work, int x)
    {
        if (c[8 + x] == 0 && c[16 + x] == 0 && c[24 + x] == 0 && c[32 + x] == 0 && c[40 + x] == 0 && c[48 + x] == 0 && c[56 + x] == 0)
        {
            int dc = (short)(c[x] * q[x]) << Pass1Bits;
            for (int y = 0; y < 64; y += 8) work[y + x] = dc;
            return;
        }
        var even = Even((short)(c[x] * q[x]), (short)(c[16 + x] * q[16 + x]), (short)(c[32 + x] * q[32 + x]), (short)(c[48 + x] * q[48 + x]));
        var odd = Odd((short)(c[8 + x] * q[8 + x]), (short)(c[24 + x] * q[24 + x]), (short)(c[40 + x] * q[40 + x]), (short)(c[56 + x] * q[56 + x]));
        const int shift = ConstBits - Pass1Bits, half = 1 << (shift - 1);
        work[x] = Saturate((even.A + odd.A + half) >> shift);
        work[56 + x] = Saturate((even.A - odd.A + half) >> shift);
        work[8 + x] = Saturate((even.B + odd.B + half) >> shift);
        work[48 + x] = Saturate((even.B - odd.B + half) >> shift);
        work[16 + x] = Saturate((even.C + odd.C + half) >> shift);
        work[40 + x] = Saturate((even.C - odd.C + half) >> shift);
        work[24 + x] = Saturate((even.D + odd.D + half) >> shift);
        work[32 + x] = Saturate((even.D - odd.D + half) >> shift);
    }

    private static void Row(ReadOnlySpan<int> w, Span<byte> target)
    {
        var even = Even(w[0], w[2], w[4], w[6]);
        var odd = Odd(w[1], w[3], w[5], w[7]);
        const int shift = ConstBits + Pass1Bits + 3, half = 1 << (shift - 1);
        target[0] = Sample((even.A + odd.A + half) >> shift);
        target[7] = Sample((even.A - odd.A + half) >> shift);
        target[1] = Sample((even.B + odd.B + half) >> shift);
        target[6] = Sample((even.B - odd.B + half) >> shift);
        target[2] = Sample((even.C + odd.C + half) >> shift);
        target[5] = Sample((even.C - odd.C + half) >> shift);
        target[3] = Sample((even.D + odd.D + half) >> shift);
        target[4] = Sample((even.D - odd.D + half) >> shift);
    }

    private static (int A, int B, int C, int D) Even(int x0, int x2, int x4, int x6)
    {
        int z = (x2 + x6) * C0541;
        int t2 = z - x6 * C1847, t3 = z + x2 * C0765;
        int t0 = (short)(x0 + x4) << ConstBits, t1 = (short)(x0 - x4) << ConstBits;
        return (t0 + t3, t1 + t2, t1 - t2, t0 - t3);
    }

    private static (int A, int B, int C, int D) Odd(int x1, int x3, int x5, int x7)
    {
        int z3 = (short)(x7 + x3), z4 = (short)(x5 + x1);
        int z5 = (z3 + z4) * C1175;
        z3 = z5 - z3 * C1961;
        z4 = z5 - z4 * C0390;
        int z1 = (x7 + x1) * C0899, z2 = (x5 + x3) * C2562;
        return (x1 * C1501 - z1 + z4, x3 * C3072 - z2 + z3, x5 * C2053 - z2 + z4, x7 * C0298 - z1 + z3);
    }

    private static int Saturate(int value) => Math.Clamp(value, short.MinValue, short.MaxValue);

    private static byte Sample(int value) => (byte)Math.Clamp(value + 128, 0, 255);
}
