namespace Fewbit.Fuzzing;

/// <summary>Numbers and texts at the edges of what readers expect.</summary>
internal static class Interesting
{
    private static readonly long[] Integers =
    [
        0, 0, 1, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 64, 127, 128, 255, 256, 1000, 4096, 65535, 65536, 1 << 20, 1 << 24, 1 << 28, int.MaxValue, int.MinValue, 1L << 31, 1L << 32, 1L << 33, 1L << 40, 1L << 61, 1L << 62,
        long.MaxValue, long.MaxValue - 1, long.MinValue, long.MinValue + 1, -1, -1, -2, -3, -4, -128, -65536, 3037000500, 4294967297, 6148914691236517206,
    ];

    private static readonly float[] Reals = [0, -0f, 1, -1, 0.5f, 2, 1e-3f, float.Epsilon, 1e-38f, 1e9f, 3e9f, 1e19f, 1e38f, float.MaxValue, float.MinValue, float.NaN, float.PositiveInfinity, float.NegativeInfinity];

    private static readonly string[] Texts =
    [
        "", "x", "..", "../outside.bin", "/etc/hostname", "weights.bin", "link.bin", "sub/../../outside.bin", "NOTSET", "VALID", "SAME_UPPER", "linear", "cubic", "nearest", "constant", "reflect", "edge", "wrap", "bidirectional",
        "reverse", "Relu", "Tanh", "Affine", "add", "max", "ij,jk->ik", "i...->...", "...", "->", "ab,cd->abcd", "aaaaaaaa,a->a", "ai.onnx", "com.microsoft", "ai.fewbit", "\0", "é", "\u202E", "a\nb",
    ];

    public static long Integer(Random random) => random.Next(4) switch
    {
        0 => random.Next(-4, 12),
        _ => Integers[random.Next(Integers.Length)] + (random.Next(8) == 0 ? random.Next(-2, 3) : 0),
    };

    public static float Real(Random random) => random.Next(3) == 0 ? (random.NextSingle() - 0.5f) * 8 : Reals[random.Next(Reals.Length)];

    public static string Text(Random random) => random.Next(40) == 0 ? new string('n', 1 << random.Next(4, 14)) : Texts[random.Next(Texts.Length)];

    /// <summary>A length that keeps most tensors small, so that cases get far.</summary>
    public static long Length(Random random) => random.Next(12) switch
    {
        0 => Integer(random),
        1 => 0,
        2 => random.Next(8, 70),
        _ => random.Next(1, 6),
    };
}
