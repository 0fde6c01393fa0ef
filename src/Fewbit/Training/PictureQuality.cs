namespace Fewbit.Training;

/// <summary>Likeness of pictures with values from 0 to 1.</summary>
public static class PictureQuality
{
    private const int Window = 11, Radius = Window / 2;
    private const double Sigma = 1.5, C1 = 0.01 * 0.01, C2 = 0.03 * 0.03;
    private static readonly double[] s_weights = Gaussian();

    /// <summary>Peak signal-to-noise ratio: 10 log10(1 / mean squared error), in dB; infinite for equal pictures.</summary>
    public static double Psnr(ReadOnlySpan<float> picture, ReadOnlySpan<float> reference)
    {
        double sum = 0;
        for (int i = 0; i < reference.Length; i++) sum += ((double)picture[i] - reference[i]) * ((double)picture[i] - reference[i]);
        return 10 * Math.Log10(reference.Length / sum);
    }

    /// <summary>Mean structural similarity over all places where a Gaussian window of 11 x 11 (deviation 1.5) fits, and over channels; 1 for equal pictures.</summary>
    /// <remarks>Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004. A picture smaller than the window is one place, weighted by what of the window lies in it.</remarks>
    /// <param name="picture">[channels, height, width].</param>
    /// <param name="reference">Of the same shape.</param>
    /// <param name="channels">Planes.</param>
    /// <param name="height">Rows.</param>
    /// <param name="width">Columns.</param>
    public static double Ssim(ReadOnlySpan<float> picture, ReadOnlySpan<float> reference, int channels, int height, int width)
    {
        int radiusY = Math.Min(Radius, (height - 1) / 2), radiusX = Math.Min(Radius, (width - 1) / 2), plane = height * width;
        double sum = 0;
        long places = 0;
        for (int c = 0; c < channels; c++)
        {
            ReadOnlySpan<float> a = picture.Slice(c * plane, plane), b = reference.Slice(c * plane, plane);
            for (int y = radiusY; y < height - radiusY; y++)
            {
                for (int x = radiusX; x < width - radiusX; x++, places++) sum += At(a, b, width, y, x, radiusY, radiusX);
            }
        }
        return sum / places;
    }

    private static double At(ReadOnlySpan<float> a, ReadOnlySpan<float> b, int width, int y, int x, int radiusY, int radiusX)
    {
        double weights = 0, meanA = 0, meanB = 0, aa = 0, bb = 0, ab = 0;
        for (int dy = -radiusY; dy <= radiusY; dy++)
        {
            for (int dx = -radiusX; dx <= radiusX; dx++)
            {
                double weight = s_weights[dy + Radius] * s_weights[dx + Radius];
                int at = (y + dy) * width + x + dx;
                double p = a[at], q = b[at];
                (weights, meanA, meanB) = (weights + weight, meanA + weight * p, meanB + weight * q);
                (aa, bb, ab) = (aa + weight * p * p, bb + weight * q * q, ab + weight * p * q);
            }
        }
        (meanA, meanB) = (meanA / weights, meanB / weights);
        double varianceA = aa / weights - meanA * meanA, varianceB = bb / weights - meanB * meanB, covariance = ab / weights - meanA * meanB;
        return (2 * meanA * meanB + C1) * (2 * covariance + C2) / ((meanA * meanA + meanB * meanB + C1) * (varianceA + varianceB + C2));
    }

    private static double[] Gaussian()
    {
        double[] weights = [.. Enumerable.Range(-Radius, Window).Select(i => Math.Exp(-i * i / (2 * Sigma * Sigma)))];
        double sum = weights.Sum();
        return [.. weights.Select(weight => weight / sum)];
    }
}
