namespace Fewbit.Evaluation;

/// <summary>Readings of one row of class scores.</summary>
public static class Scores
{
    /// <summary>The first class of the highest score; NaN counts as lowest.</summary>
    public static int ArgMax(ReadOnlySpan<float> scores)
    {
        int best = 0;
        for (int i = 1; i < scores.Length; i++)
        {
            if (scores[i] > scores[best] || (float.IsNaN(scores[best]) && !float.IsNaN(scores[i]))) best = i;
        }
        return best;
    }

    /// <summary>True where fewer than <paramref name="count"/> classes come before the wanted one. Among equals the lower class comes first.</summary>
    public static bool IsAmongFirst(ReadOnlySpan<float> scores, int wanted, int count)
    {
        if ((uint)wanted >= (uint)scores.Length) return false;
        int before = 0;
        for (int i = 0; i < scores.Length; i++)
        {
            if (scores[i] > scores[wanted] || (i < wanted && scores[i] == scores[wanted])) before++;
        }
        return before < count && !float.IsNaN(scores[wanted]);
    }

    /// <summary>sum p log(p / q) of the softmax of both, in nats.</summary>
    public static double KlOfLogits(ReadOnlySpan<float> reference, ReadOnlySpan<float> other)
    {
        double a = LogSumExp(reference), b = LogSumExp(other), sum = 0;
        for (int i = 0; i < reference.Length; i++) sum += Math.Exp(reference[i] - a) * (reference[i] - a - (other[i] - b));
        return Math.Max(0, sum);
    }

    /// <summary>sum p log(p / q), in nats; q is at least 1e-12, so that a rounded zero does not make it infinite.</summary>
    public static double KlOfProbabilities(ReadOnlySpan<float> reference, ReadOnlySpan<float> other)
    {
        double sum = 0;
        for (int i = 0; i < reference.Length; i++)
        {
            if (reference[i] > 0) sum += reference[i] * Math.Log(reference[i] / Math.Max(other[i], 1e-12));
        }
        return Math.Max(0, sum);
    }

    /// <summary>log(sum exp(score)).</summary>
    internal static double LogSumExp(ReadOnlySpan<float> scores)
    {
        double max = double.NegativeInfinity, sum = 0;
        foreach (float score in scores) max = Math.Max(max, score);
        foreach (float score in scores) sum += Math.Exp(score - max);
        return max + Math.Log(sum);
    }
}
