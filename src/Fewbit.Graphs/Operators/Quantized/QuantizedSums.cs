using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>Writes int32 sums as codes.</summary>
internal static class QuantizedSums
{
    /// <summary>Rows of <paramref name="length"/> sums; row r belongs to channel r % channels, which has its own factor where there are several.</summary>
    public static void Rows(ReadOnlySpan<int> sums, int channels, int length, float[] factors, int zeroPoint, Tensor y)
    {
        for (int row = 0; row * length < sums.Length; row++)
        {
            float factor = factors[factors.Length == 1 ? 0 : row % channels];
            Write(sums.Slice(row * length, length), new ReadOnlySpan<float>(in factor), zeroPoint, y, row * length);
        }
    }

    /// <summary>Rows whose elements are the channels.</summary>
    public static void Columns(ReadOnlySpan<int> sums, int channels, float[] factors, int zeroPoint, Tensor y, int start = 0)
    {
        for (int at = 0; at < sums.Length; at += channels) Write(sums.Slice(at, channels), factors, zeroPoint, y, start + at);
    }

    private static void Write(ReadOnlySpan<int> sums, ReadOnlySpan<float> factors, int zeroPoint, Tensor y, int start)
    {
        if (y.Type == ElementType.UInt8)
        {
            Span<byte> codes = y.Span<byte>()[start..];
            for (int i = 0; i < sums.Length; i++) codes[i] = (byte)Rounding.Requantize(sums[i], factors[factors.Length == 1 ? 0 : i], zeroPoint, 0, 255);
        }
        else
        {
            Span<sbyte> codes = y.Span<sbyte>()[start..];
            for (int i = 0; i < sums.Length; i++) codes[i] = (sbyte)Rounding.Requantize(sums[i], factors[factors.Length == 1 ? 0 : i], zeroPoint, -128, 127);
        }
    }
}
