using Fewbit.Formats;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>A blocked matrix in the forms that files hold.</summary>
internal static class BlockedTensors
{
    /// <summary>Codes or zero points for DequantizeLinear, packed below 8 bits.</summary>
    public static Tensor ForDequantizeLinear(ReadOnlySpan<int> codes, Shape shape, IntegerFormat format)
    {
        ElementType type = (format.BitWidth, format.IsSigned) switch
        {
            (2, true) => ElementType.Int2,
            (2, false) => ElementType.UInt2,
            (4, true) => ElementType.Int4,
            (4, false) => ElementType.UInt4,
            (_, true) => ElementType.Int8,
            _ => ElementType.UInt8,
        };
        if (!type.IsPacked()) return AffineQuantizer.Pack(codes, shape, type);
        Tensor bytes = Tensor.AllocateUninitialized(ElementType.UInt8, shape), packed = Tensor.AllocateUninitialized(type, shape);
        Span<byte> span = bytes.Span<byte>();
        for (int i = 0; i < codes.Length; i++) span[i] = (byte)codes[i];
        PackedElements.Pack(bytes, packed);
        return packed;
    }

    /// <summary>B [N, blocks, block bytes]: unsigned codes along K, lowest bits first, the last block filled up with the code of 0.</summary>
    public static Tensor NBitsCodes(BlockedMatrix matrix)
    {
        int bits = matrix.Format.BitWidth, middle = Middle(matrix.Format), inner = matrix.Blocks * matrix.BlockSize;
        Tensor packed = Tensor.Allocate(ElementType.UInt8, [matrix.Columns, matrix.Blocks, matrix.BlockSize * bits / 8]);
        Span<byte> bytes = packed.Span<byte>();
        for (int column = 0; column < matrix.Columns; column++)
        {
            for (int k = 0; k < inner; k++)
            {
                int code = k < matrix.Rows ? matrix.Codes[k * matrix.Columns + column] : matrix.ZeroPoints[k / matrix.BlockSize * matrix.Columns + column];
                long position = ((long)column * inner + k) * bits;
                bytes[(int)(position / 8)] |= (byte)((code + middle) << (int)(position % 8));
            }
        }
        return packed;
    }

    /// <summary>Scales [N * blocks].</summary>
    public static Tensor NBitsScales(BlockedMatrix matrix) => Tensor.From<float>([.. ByColumn(matrix, matrix.Scales)]);

    /// <summary>Zero points, packed and filled up to whole bytes for each column; null where all are the middle code, which is the operator's default.</summary>
    public static Tensor? NBitsZeroPoints(BlockedMatrix matrix)
    {
        int bits = matrix.Format.BitWidth, middle = Middle(matrix.Format), rowBytes = (matrix.Blocks * bits + 7) / 8;
        int[] codes = [.. ByColumn(matrix, matrix.ZeroPoints).Select(code => code + middle)];
        if (Array.TrueForAll(codes, code => code == 1 << (bits - 1))) return null;
        Tensor packed = Tensor.Allocate(ElementType.UInt8, [matrix.Columns * rowBytes]);
        Span<byte> bytes = packed.Span<byte>();
        for (int i = 0; i < codes.Length; i++)
        {
            int position = i % matrix.Blocks * bits;
            bytes[i / matrix.Blocks * rowBytes + position / 8] |= (byte)(codes[i] << (position % 8));
        }
        return packed;
    }

    /// <summary>What makes a signed code unsigned.</summary>
    private static int Middle(IntegerFormat format) => -format.Min;

    private static IEnumerable<T> ByColumn<T>(BlockedMatrix matrix, T[] values) =>
        Enumerable.Range(0, matrix.Columns).SelectMany(column => Enumerable.Range(0, matrix.Blocks).Select(block => values[block * matrix.Columns + column]));
}
