using Fewbit.Formats;

namespace Fewbit.Quantization;

/// <summary>Scale and zero point of the few numbers of a block.</summary>
internal static class BlockFit
{
    private const int Candidates = 24;
    private const double SmallestShare = 0.4;

    /// <summary>The full range, or the share of it, from 1 down to 0.4, with the least squared error.</summary>
    public static (float Scale, int ZeroPoint) Fit(ReadOnlySpan<float> values, NumberFormat format, QuantizationScheme scheme, bool searches)
    {
        (float min, float max) = (0, 0);
        foreach (float value in values) (min, max) = (MathF.Min(min, value), MathF.Max(max, value));
        (float Scale, int ZeroPoint) best = QuantizationParameters.Fit(new(min, max), format, scheme);
        if (!searches || (min == 0 && max == 0)) return best;
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

    private static double SquaredError(ReadOnlySpan<float> values, (float Scale, int ZeroPoint) grid, NumberFormat format)
    {
        double sum = 0;
        foreach (float value in values)
        {
            double difference = value - format.Round(value / grid.Scale, grid.ZeroPoint) * grid.Scale;
            sum += difference * difference;
        }
        return sum;
    }
}
