using Fewbit.Data;
using Fewbit.Quantization;
using Fewbit.Tensors;

namespace Fewbit.Promises;

/// <summary>What is promised, and what may be tried to keep it.</summary>
public sealed record PromiseOptions
{
    /// <summary>How much accuracy, or agreement with the float model, may be lost; percentage points, above 0, at most 100. Default: 1.</summary>
    public double MaxDrop { get; init => field = value is > 0 and <= 100 ? value : throw new ArgumentOutOfRangeException(nameof(MaxDrop), value, "must be above 0 and at most 100 percentage points"); } = 1;

    /// <summary>Time after which nothing further is tried; the first candidate is always made. Default: 10 minutes.</summary>
    public TimeSpan TimeBudget { get; init => field = value >= TimeSpan.Zero ? value : throw new ArgumentOutOfRangeException(nameof(TimeBudget), value, "must not be negative"); } = TimeSpan.FromMinutes(10);

    /// <summary>Whether the fewest bits that keep the promise are looked for, 8, 4 or 2 for the weights of each layer, in a small container. Default: false, the first candidate that keeps it.</summary>
    public bool Smallest { get; init; }

    /// <summary>Steps that a layer or block learns, at most; 1 to 10,000,000. Null, the default: 1,000 on the way up, 2,000 for the fewest bits.</summary>
    public int? Iterations { get; init => field = value is { } count ? Require.InRange(count, 1, 10_000_000, nameof(Iterations)) : null; }

    /// <summary>Seed of everything random.</summary>
    public ulong Seed { get; init; }

    /// <summary>The first candidate: formats, ranges and exclusions that all others share. Its method is nearest and it has no transforms: those are tried. Default: int8.</summary>
    public QuantizationOptions Start { get; init => field = CheckStart(value); } = new();

    /// <summary>File that keeps what was tried and learned; a search that finds it goes on from it. Null, the default: none.</summary>
    public string? Checkpoint { get; init; }

    /// <summary>The fewest held-out samples on which any model could be shown to keep the promise: those without a single loss.</summary>
    public long HeldOutNeeded => HeldOutLooks.SamplesNeeded(LargestDrop);

    /// <summary>The allowed drop as a share.</summary>
    internal double LargestDrop => MaxDrop / 100;

    private static QuantizationOptions CheckStart(QuantizationOptions start)
    {
        if (start.Method != RoundingMethod.Nearest) throw new ArgumentException($"the first candidate has the method {start.Method}, expected Nearest: learned rounding is tried where it helps", nameof(start));
        if (start.Transforms.Count > 0) throw new ArgumentException("the first candidate has transforms, expected none: they are tried", nameof(start));
        return start;
    }
}

/// <summary>Three parts of the data without overlap: what a promise rests on must have been used for nothing before.</summary>
/// <param name="Calibration">Ranges, biases and roundings are found on these; enumerated again for each.</param>
/// <param name="Choosing">Candidates are compared on these.</param>
/// <param name="HeldOut">The promise is made on these.</param>
public sealed record PromiseSamples(IEnumerable<SampleBatch> Calibration, IEnumerable<SampleBatch> Choosing, IEnumerable<SampleBatch> HeldOut);
