using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>Codes of any width side by side in words, and the standard nodes that take them apart: runtimes fold these when they load the model.</summary>
/// <remarks>
/// Widths that divide 8 lie in bytes, others in words of 64 bits, as many whole codes as fit: 21 of 3 bits, 12 of 5. The first code has the lowest bits.
/// BitShift alone isolates a code (left until it ends the word, then right), which every opset from 11 on has.
/// </remarks>
internal static class PackedWords
{
    /// <summary>Bits of a word that holds codes of a width.</summary>
    public static int WordBits(int bitWidth) => 8 % bitWidth == 0 ? 8 : 64;

    /// <summary>Bytes of the words that hold codes.</summary>
    public static long ByteCount(long codes, int bitWidth) => (codes + WordBits(bitWidth) / bitWidth - 1) / (WordBits(bitWidth) / bitWidth) * WordBits(bitWidth) / 8;

    /// <summary>The words, [count, 1], upper bits 0.</summary>
    /// <param name="codes">Their lower bits count.</param>
    /// <param name="bitWidth">1 to 8.</param>
    public static Tensor Pack(ReadOnlySpan<int> codes, int bitWidth)
    {
        int wordBits = WordBits(bitWidth), each = wordBits / bitWidth, words = (codes.Length + each - 1) / each;
        ulong mask = (1ul << bitWidth) - 1;
        var packed = new ulong[words];
        for (int i = 0; i < codes.Length; i++) packed[i / each] |= ((uint)codes[i] & mask) << (i % each * bitWidth);
        return wordBits == 8 ? Tensor.From<byte>(Array.ConvertAll(packed, word => (byte)word), [words, 1]) : Tensor.From<ulong>(packed, [words, 1]);
    }

    /// <summary>Nodes that give the codes as unsigned words in a shape.</summary>
    /// <param name="nodes">Where they go.</param>
    /// <param name="words">What <see cref="Pack"/> made.</param>
    /// <param name="bitWidth">Bits of a code.</param>
    /// <param name="shape">Shape of the codes.</param>
    public static Value Unpack(NodeInserter nodes, Value words, int bitWidth, Shape shape)
    {
        Graph graph = words.Graph;
        int wordBits = WordBits(bitWidth), each = wordBits / bitWidth;
        Value left = graph.AddConstant("unpack_left", Words([.. Enumerable.Range(0, each).Select(i => wordBits - bitWidth - i * bitWidth)], wordBits, [1, each]));
        Value right = graph.AddConstant("unpack_right", Words([wordBits - bitWidth], wordBits, []));
        Value codes = nodes.Add("", "BitShift", "left", [words, left], new() { { "direction", "LEFT" } });
        codes = nodes.Add("", "BitShift", "right", [codes, right], new() { { "direction", "RIGHT" } });
        long stored = words.Constant!.ElementCount * each;
        if (stored != shape.ElementCount)
        {
            codes = nodes.Add("", "Reshape", "flat", [codes, Ints(graph, -1)]);
            codes = nodes.Add("", "Slice", "cut", [codes, Ints(graph, 0), Ints(graph, shape.ElementCount)]);
        }
        return nodes.Add("", "Reshape", "shaped", [codes, graph.AddConstant("unpack_shape", Tensor.From<long>([.. shape.ToArray()]))]);
    }

    private static Value Ints(Graph graph, long value) => graph.AddConstant("unpack_index", Tensor.From<long>([value]));

    private static Tensor Words(int[] values, int wordBits, Shape shape) => wordBits == 8 ? Tensor.From<byte>(Array.ConvertAll(values, value => (byte)value), shape)
        : Tensor.From<ulong>(Array.ConvertAll(values, value => (ulong)value), shape);
}
