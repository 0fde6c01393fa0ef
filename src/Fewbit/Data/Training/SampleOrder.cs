using Fewbit.Tensors;

namespace Fewbit.Data.Training;

/// <summary>Random streams of a training run, each a function of the seed and of what it is for.</summary>
internal static class SampleOrder
{
    /// <summary>The seed of one purpose (epoch, sample, batch) under another.</summary>
    public static ulong Derive(ulong seed, long purpose)
    {
        // A plain sum of seed and purpose would give epoch 1 of seed 0 the order of epoch 0 of seed 1.
        var random = new SeededRandom(seed);
        return random.NextBits() + (ulong)purpose;
    }

    /// <summary>Fills the array with the numbers of all samples, in the epoch's random order or as they are.</summary>
    public static void Fill(int[] order, bool shuffle, ulong epochSeed)
    {
        for (int i = 0; i < order.Length; i++) order[i] = i;
        if (!shuffle) return;
        var random = new SeededRandom(epochSeed);
        random.Shuffle(order.AsSpan());
    }
}
