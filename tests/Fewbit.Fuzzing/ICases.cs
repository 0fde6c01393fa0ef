namespace Fewbit.Fuzzing;

/// <summary>Mutated files of one kind, each made and tried by its number.</summary>
internal interface ICases
{
    /// <summary>What the seeds are, for the report.</summary>
    string Description { get; }

    /// <summary>The file of a case: the same for the same seed, number and corpus.</summary>
    (string Name, byte[] Content) Create(long number);

    /// <summary>Tries the file.</summary>
    Outcome Run(string name, byte[] content, long number);
}

/// <summary>The seed of each case.</summary>
internal static class CaseSeed
{
    /// <summary>Mixes seed and number, so that neighbouring cases have nothing in common (the finalizer of SplitMix64).</summary>
    public static int Of(int seed, long number)
    {
        ulong z = unchecked(((ulong)(uint)seed << 32) ^ ((ulong)number * 0x9E3779B97F4A7C15));
        z = unchecked((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9);
        z = unchecked((z ^ (z >> 27)) * 0x94D049BB133111EB);
        return (int)(z ^ (z >> 31));
    }
}
