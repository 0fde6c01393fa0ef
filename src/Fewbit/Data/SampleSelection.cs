using System.Globalization;
using Fewbit.Tensors;

namespace Fewbit.Data;

/// <summary>Choices of samples that a seed fixes.</summary>
public static class SampleSelection
{
    /// <summary>Draws samples without replacement: the same number of each class, as far as there are that many; without labels any.</summary>
    /// <param name="data">The data set; returned as it is where it has no more samples.</param>
    /// <param name="count">Samples to draw, at least 1.</param>
    /// <param name="seed">Fixes the draw.</param>
    public static DataSet Draw(DataSet data, int count, long seed)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        if (data.Count <= count) return data;
        int[] drawn = [.. InterleavedByClass(data, seed).Take(count).Order()];
        string balance = data.Labels is null ? "" : " balanced over the classes";
        return data.Subset(drawn, string.Create(CultureInfo.InvariantCulture, $"{count} samples drawn with seed {seed}{balance}"));
    }

    /// <summary>Splits a data set in two without overlap, each class in the same proportion; the second part is for judging what the first was used for.</summary>
    /// <param name="data">The data set, at least 2 samples.</param>
    /// <param name="heldOutShare">Share of the second part, above 0 and below 1. Default a fifth.</param>
    /// <param name="seed">Fixes the split.</param>
    public static (DataSet Kept, DataSet HeldOut) Split(DataSet data, long seed, double heldOutShare = 0.2)
    {
        ArgumentNullException.ThrowIfNull(data);
        if (!(heldOutShare > 0 && heldOutShare < 1)) throw new ArgumentOutOfRangeException(nameof(heldOutShare), heldOutShare, "must be above 0 and below 1");
        if (data.Count < 2) throw new ArgumentException($"{data.Description}: one sample cannot be split in two; give a second folder for judging", nameof(data));
        int held = Math.Clamp((int)Math.Round(data.Count * heldOutShare), 1, data.Count - 1);
        // Taking evenly from class after class keeps each class's share in both parts.
        int[] order = Proportional(data, seed);
        var isHeld = new bool[data.Count];
        for (int i = 0; i < held; i++) isHeld[order[(int)((long)i * data.Count / held)]] = true;
        string part = string.Create(CultureInfo.InvariantCulture, $"with seed {seed}");
        return (data.Subset([.. Enumerable.Range(0, data.Count).Where(i => !isHeld[i])], $"{data.Count - held} samples kept {part}"),
            data.Subset([.. Enumerable.Range(0, data.Count).Where(i => isHeld[i])], $"{held} samples held out {part}"));
    }

    /// <summary>One random sample of each class, then a second of each, and so on; the order of the classes is random in each round.</summary>
    private static IEnumerable<int> InterleavedByClass(DataSet data, long seed)
    {
        var random = new SeededRandom((ulong)seed);
        int[][] classes = ShuffledClasses(data, ref random);
        for (int round = 0; ; round++)
        {
            int[] candidates = [.. classes.Where(members => round < members.Length).Select(members => members[round])];
            if (candidates.Length == 0) yield break;
            random.Shuffle(candidates.AsSpan());
            foreach (int index in candidates) yield return index;
        }
    }

    private static int[] Proportional(DataSet data, long seed)
    {
        var random = new SeededRandom((ulong)seed);
        return [.. ShuffledClasses(data, ref random).SelectMany(members => members)];
    }

    private static int[][] ShuffledClasses(DataSet data, ref SeededRandom random)
    {
        int[][] classes = [.. Enumerable.Range(0, data.Count).GroupBy(i => data.Labels?[i] ?? 0).OrderBy(group => group.Key).Select(group => group.ToArray())];
        foreach (int[] members in classes) random.Shuffle(members.AsSpan());
        return classes;
    }
}
