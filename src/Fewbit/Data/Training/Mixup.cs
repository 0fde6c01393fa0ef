using Fewbit.Tensors;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Fewbit.Data.Training;

/// <summary>Mixes the samples of a batch with each other.</summary>
internal static class Mixup
{
    /// <summary>A number of the Beta(alpha, alpha) distribution.</summary>
    public static double DrawShare(ref SeededRandom random, double alpha)
    {
        double a = DrawGamma(ref random, alpha), b = DrawGamma(ref random, alpha);
        // Both may be smaller than any double for a tiny alpha: then one side has it all.
        return a + b > 0 ? a / (a + b) : random.NextInt(2);
    }

    /// <summary>rows = share * rows + (1 - share) * rows in the order of <paramref name="partners"/>.</summary>
    /// <param name="rows">The samples; changed.</param>
    /// <param name="copy">Room for a copy of them.</param>
    /// <param name="partners">Row that is mixed into each.</param>
    /// <param name="share">Weight of a row itself.</param>
    public static void Apply(Span<float> rows, Span<float> copy, ReadOnlySpan<int> partners, float share)
    {
        rows.CopyTo(copy);
        int length = rows.Length / partners.Length;
        for (int i = 0; i < partners.Length; i++)
        {
            Span<float> row = rows.Slice(i * length, length);
            TensorPrimitives.Multiply(row, share, row);
            TensorPrimitives.MultiplyAdd(copy.Slice(partners[i] * length, length), 1 - share, row, row);
        }
    }

    /// <remarks>Marsaglia and Tsang, "A Simple Method for Generating Gamma Variables", 2000; below 1 by a power of a uniform number.</remarks>
    private static double DrawGamma(ref SeededRandom random, double shape)
    {
        double boost = shape < 1 ? Math.Pow(1 - random.NextDouble(), 1 / shape) : 1, d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3, c = 1 / Math.Sqrt(9 * d);
        while (true)
        {
            double x = random.NextNormal(), v = 1 + c * x;
            v = v * v * v;
            if (v > 0 && Math.Log(1 - random.NextDouble()) < 0.5 * x * x + d - d * v + d * Math.Log(v)) return boost * d * v;
        }
    }
}
