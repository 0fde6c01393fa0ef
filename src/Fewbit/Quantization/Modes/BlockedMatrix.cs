using Fewbit.Formats;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>A weight [K, N] as codes with a scale and a zero point for each block of a column.</summary>
/// <param name="Rows">K.</param>
/// <param name="Columns">N.</param>
/// <param name="BlockSize">Rows that share a scale; the last block may have fewer.</param>
/// <param name="Format">The codes.</param>
/// <param name="Codes">[K, N].</param>
/// <param name="Scales">[blocks, N].</param>
/// <param name="ZeroPoints">[blocks, N].</param>
internal sealed record BlockedMatrix(int Rows, int Columns, int BlockSize, IntegerFormat Format, int[] Codes, float[] Scales, int[] ZeroPoints)
{
    public int Blocks => (Rows + BlockSize - 1) / BlockSize;

    /// <summary>Rounds a weight to codes. Below 8 bits each block's range is the share of its extremes, from 1 down to 0.4, with the least squared error.</summary>
    public static BlockedMatrix Quantize(Tensor weight, int blockSize, IntegerFormat format, QuantizationScheme scheme)
    {
        (int rows, int columns) = ((int)weight.Shape[0], (int)weight.Shape[1]);
        int blocks = (rows + blockSize - 1) / blockSize;
        var result = new BlockedMatrix(rows, columns, blockSize, format, new int[(long)rows * columns], new float[blocks * columns], new int[blocks * columns]);
        Parallel.For(0, blocks, block =>
        {
            int start = block * blockSize;
            var values = new float[Math.Min(blockSize, rows - start)];
            ReadOnlySpan<float> w = weight.Span<float>();
            for (int column = 0; column < columns; column++)
            {
                for (int i = 0; i < values.Length; i++) values[i] = w[(start + i) * columns + column];
                (float scale, int zeroPoint) = BlockFit.Fit(values, format, scheme, searches: format.BitWidth < 8);
                (result.Scales[block * columns + column], result.ZeroPoints[block * columns + column]) = (scale, zeroPoint);
                for (int i = 0; i < values.Length; i++) result.Codes[(start + i) * columns + column] = AffineQuantizer.Quantize(values[i], scale, zeroPoint, format);
            }
        });
        return result;
    }

    /// <summary>The real number at a place.</summary>
    public float this[int row, int column]
    {
        get
        {
            int block = row / BlockSize * Columns + column;
            return AffineQuantizer.Dequantize(Codes[row * Columns + column], Scales[block], ZeroPoints[block]);
        }
    }
}
