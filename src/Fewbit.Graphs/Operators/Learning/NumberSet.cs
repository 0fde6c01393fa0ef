using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators;

/// <summary>The numbers that a quantizer of any format rounds to, as a node's attributes hold them: a table of levels and their codes, or the parts of a small float.</summary>
/// <remarks>Attributes levels (ascending) and codes (they decide ties), or float: [exponent bits, mantissa bits, bias, special codes].</remarks>
internal sealed class NumberSet
{
    private const int MaxCount = 256;
    // Where the vector form of small floats is exact: every number a normal float32, the highest below 2^100.
    private const int LeastExponent = -126, GreatestExponent = 99;

    private NumberSet(LevelTable table) => (Table, Lowest, Highest) = (table, table.Levels[0], table.Levels[^1]);

    private NumberSet(SmallFloat codec) => (Codec, Lowest, Highest) = (codec, -codec.Decode(codec.Largest), codec.Decode(codec.Largest));

    /// <summary>The levels; null where the set is a small float.</summary>
    public LevelTable? Table { get; }

    /// <summary>The small float where there is no table.</summary>
    public SmallFloat Codec { get; }

    public float Lowest { get; }

    public float Highest { get; }

    public static NumberSet Parse(Node node)
    {
        if (node.Ints("float") is { } parts) return new(SmallFloatOf(node, parts));
        (float[] levels, long[] codes) = (node.Floats("levels") ?? [], node.Ints("codes") ?? []);
        node.Expect(levels.Length is > 0 and <= MaxCount && codes.Length == levels.Length, $"has {levels.Length} levels and {codes.Length} codes, expected as many of both, 1 to {MaxCount}");
        for (int i = 0; i < levels.Length; i++)
            node.Expect(float.IsFinite(levels[i]) && (i == 0 || levels[i] > levels[i - 1]) && codes[i] is >= 0 and < MaxCount, $"has level {levels[i]} with code {codes[i]} at position {i}, expected finite levels that ascend and codes below {MaxCount}");
        return new(new LevelTable(levels, Array.ConvertAll(codes, code => (int)code)));
    }

    /// <summary>True where a node's set holds 0.</summary>
    public static bool HasZero(Node node) => node.Floats("levels") is not { } levels || levels.Contains(0f);

    /// <summary>The nearest number: the reference. NaN stays NaN.</summary>
    public float Round(float number) => float.IsNaN(number) ? number : Table is { } table ? table.Levels[table.NearestTo(number)] : Codec.Decode(Codec.Encode(number));

    private static SmallFloat SmallFloatOf(Node node, long[] parts)
    {
        node.Expect(parts.Length == 4 && parts[0] is > 0 and < 8 && parts[1] is >= 0 and < 8 && parts[0] + parts[1] is > 1 and < 8 && parts[3] is >= 0 and <= (long)SpecialCodes.NegativeZero
            && parts[2] >= (1 << (int)parts[0]) - 1 - GreatestExponent && parts[2] <= 1 - LeastExponent - parts[1]
            && (parts[3] != (long)SpecialCodes.Ieee || parts is [> 1, > 0, ..]), $"its float is [{string.Join(", ", parts)}], expected exponent bits, mantissa bits, bias and special codes of a float of 3 to 8 bits");
        return new((int)parts[0], (int)parts[1], (int)parts[2], (SpecialCodes)parts[3]);
    }
}
