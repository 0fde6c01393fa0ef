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
    private const int Candidates = 24;
    private const double SmallestShare = 0.4;

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
                (float scale, int zeroPoint) = Fit(values, format, scheme);
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

    private static (float Scale, int ZeroPoint) Fit(ReadOnlySpan<float> values, IntegerFormat format, QuantizationScheme scheme)
    {
        (float min, float max) = (0, 0);
        foreach (float value in values) (min, max) = (MathF.Min(min, value), MathF.Max(max, value));
        (float Scale, int ZeroPoint) best = QuantizationParameters.Fit(new(min, max), format, scheme);
        if (format.BitWidth >= 8 || (min == 0 && max == 0)) return best;
        double least = SquaredError(values, best, format);
        for (int i = 1; i < Candidates; i++)
        {
            float share = (float)(1 - (1 - SmallestShare) * i / (Candidates - 1));
            (float Scale, int ZeroPoint) tried = QuantizationParameters.Fit(new(share * min, share * max), format, scheme);
            double error = SquaredError(values, tried, format);
            if (error < least) (best, least) = (tried, error);
        }
        return best;
    }

    private static double SquaredError(ReadOnlySpan<float> values, (float Scale, int ZeroPoint) grid, IntegerFormat format)
    {
        double sum = 0;
        foreach (float value in values)
        {
            double difference = value - AffineQuantizer.FakeQuantize(value, grid.Scale, grid.ZeroPoint, format);
            sum += difference * difference;
        }
        return sum;
    }
}
