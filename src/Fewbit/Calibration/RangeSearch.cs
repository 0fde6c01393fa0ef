using Fewbit.Formats;
using Fewbit.Tensors.Threading;

namespace Fewbit.Calibration;

/// <summary>Scale and zero point that a search tries.</summary>
internal readonly record struct RangeCandidate(float Scale, int ZeroPoint)
{
    private const float LeastScale = 1e-8f;

    /// <summary>Scale = (max - min) / (codes - 1), at least 1e-8; zero point = -min / scale, rounded. The range is widened to hold 0.</summary>
    public static RangeCandidate Of(float min, float max, IntegerFormat format)
    {
        (min, max) = (MathF.Min(min, 0), MathF.Max(max, 0));
        float scale = MathF.Max((max - min) / (format.Max - format.Min), LeastScale);
        return new(scale, (int)Math.Clamp(format.Min - MathF.Round(min / scale), format.Min, format.Max));
    }

    /// <summary>Scale = limit / highest code or number, at least 1e-8; zero point 0.</summary>
    public static RangeCandidate Symmetric(float limit, NumberFormat format) =>
        new(MathF.Max(format is IntegerFormat integers ? limit / Math.Max(1, integers.Max) : format.Fit(new(-limit, limit), QuantizationScheme.Symmetric).Scale, LeastScale), 0);
}

/// <summary>Finds the candidate whose codes err least, the power 2.4 of errors summed; the first of equal ones.</summary>
/// <remarks>
/// Every candidate is scored on a sample first. Then they are scored in full, the best of the sample first, and a candidate is given up as soon as
/// its sum exceeds the best full one. Sums only grow, so the result is that of scoring all in full, whatever the number of threads.
/// </remarks>
internal static unsafe class RangeSearch
{
    private const int Block = 1 << 14, SampleElements = 1 << 13;

    /// <param name="values">Finite numbers.</param>
    /// <param name="candidates">At least one.</param>
    /// <param name="format">The codes.</param>
    public static RangeCandidate Best(ReadOnlySpan<float> values, ReadOnlySpan<RangeCandidate> candidates, NumberFormat format) =>
        format is IntegerFormat integers ? BestOfIntegers(values, candidates, integers) : BestOfLevels(values, candidates, format);

    /// <summary>Every candidate in full, its rounding on all cores.</summary>
    private static RangeCandidate BestOfLevels(ReadOnlySpan<float> values, ReadOnlySpan<RangeCandidate> candidates, NumberFormat format)
    {
        // What fills up the last vector is 0 on both sides: it does not err.
        int length = (values.Length + PowerError.Width - 1) / PowerError.Width * PowerError.Width;
        (var numbers, var rounded) = (new float[length], new float[length]);
        values.CopyTo(numbers);
        (RangeCandidate best, double least) = (candidates[0], double.PositiveInfinity);
        fixed (float* x = numbers, y = rounded)
        {
            foreach (RangeCandidate candidate in candidates)
            {
                format.FakeQuantize(x, y, 1, values.Length, [candidate.Scale], [candidate.ZeroPoint]);
                double error = PowerError.SumOfRounded(x, y, length, candidate.Scale);
                if (error < least) (best, least) = (candidate, error);
            }
        }
        return best;
    }

    private static RangeCandidate BestOfIntegers(ReadOnlySpan<float> values, ReadOnlySpan<RangeCandidate> candidates, IntegerFormat format)
    {
        var scores = new double[candidates.Length];
        int[] order = [.. Enumerable.Range(0, candidates.Length)];
        float[] all = Padded(values, 1);
        if (values.Length > 4 * SampleElements)
        {
            Score(Padded(values, values.Length / SampleElements), candidates, order, scores, format);
            Array.Sort((double[])scores.Clone(), order);
        }
        Score(all, candidates, order, scores, format);
        return candidates[Array.IndexOf(scores, scores.Min())];
    }

    /// <summary>Every so many of the numbers that are not 0, and zeros up to a whole vector: a 0 has a code, so it never errs.</summary>
    private static float[] Padded(ReadOnlySpan<float> values, int step)
    {
        var kept = new List<float>(values.Length / step + PowerError.Width);
        for (int i = 0; i < values.Length; i += step)
        {
            if (values[i] != 0) kept.Add(values[i]);
        }
        while (kept.Count % PowerError.Width != 0) kept.Add(0);
        return [.. kept];
    }

    private static void Score(float[] values, ReadOnlySpan<RangeCandidate> candidates, int[] order, double[] scores, IntegerFormat format)
    {
        double best = double.PositiveInfinity;
        fixed (float* x = values)
        fixed (RangeCandidate* first = candidates)
        fixed (int* place = order)
        fixed (double* score = scores)
        {
            var job = new Job(x, values.Length, first, place, score, &best, format.Min, format.Max);
            Workers.Run(order.Length, ref job);
        }
    }

    /// <summary>Chunk i scores the candidate at place i.</summary>
    private readonly struct Job(float* x, int count, RangeCandidate* candidates, int* order, double* scores, double* best, int min, int max) : IJob
    {
        public void Run(int chunk)
        {
            RangeCandidate candidate = candidates[order[chunk]];
            double sum = 0;
            for (int start = 0; start < count; start += Block)
            {
                sum += PowerError.Sum(x + start, Math.Min(Block, count - start), candidate.Scale, min - candidate.ZeroPoint, max - candidate.ZeroPoint);
                if (sum > Volatile.Read(ref *best))
                {
                    scores[order[chunk]] = double.PositiveInfinity;
                    return;
                }
            }
            scores[order[chunk]] = sum;
            Lower(ref *best, sum);
        }

        private static void Lower(ref double best, double sum)
        {
            double known = Volatile.Read(ref best);
            while (sum < known && Interlocked.CompareExchange(ref best, sum, known) is var found && found != known) known = found;
        }
    }
}
