using System.Text.Json.Serialization;
using Fewbit.Tensors;

namespace Fewbit.Reconstruction;

/// <summary>Which numbers the ranges of activations are fitted to.</summary>
internal enum RangeSource
{
    /// <summary>Those of the float network, as QDrop does.</summary>
    FloatNetwork,

    /// <summary>Those of the network whose weights, and activations before, are quantized, as BRECQ does.</summary>
    QuantizedNetwork,
}

/// <summary>Settings of a <see cref="Reconstructor"/>.</summary>
internal sealed record ReconstructionOptions
{
    /// <summary>What is done, in order.</summary>
    public IReadOnlyList<ReconstructionPass> Passes { get; init; } = [];

    /// <summary>What is reconstructed at once.</summary>
    public UnitGranularity Granularity { get; init; } = UnitGranularity.Blocks;

    /// <summary>Seed of the drawing of samples and of everything random in a step.</summary>
    public ulong Seed { get; init; } = 1005;

    /// <summary>Samples that ranges of activations are fitted to: the first ones.</summary>
    public int RangeSamples { get; init => field = Require.InRange(value, 1, int.MaxValue, nameof(RangeSamples)); } = 256;

    /// <summary>Which numbers these ranges are fitted to.</summary>
    public RangeSource RangeSource { get; init; }

    /// <summary>Bytes of features at the cuts that may lie in memory; what is beyond goes to temporary files.</summary>
    public long FeatureBytes { get; init => field = Require.InRange(value, 0, long.MaxValue, nameof(FeatureBytes)); } = 2L << 30;

    /// <summary>Folder of the temporary files; null for the system's.</summary>
    public string? ScratchFolder { get; init; }

    /// <summary>Time that all passes may take together; units then take fewer steps, and results depend on the machine's speed. Null for no limit.</summary>
    public TimeSpan? TimeBudget { get; init; }

    /// <summary>Steps of single units, whatever passes and budget say, by <see cref="UnitReport.Key"/>; null for none.</summary>
    public IReadOnlyDictionary<string, int>? StepsByUnit { get; init; }

    /// <summary>File that keeps unfinished work; a run that finds it there goes on from it. Null for none.</summary>
    public string? Checkpoint { get; init; }

    /// <summary>Given each unit that learns, its compiled step, and what takes the step of an iteration, before the unit starts: for measurements. It leaves the unit changed.</summary>
    internal Action<ReconstructionUnit, UnitTraining, Action<int>>? StepObserver { get; init; }

    /// <summary>Called behind each step: for tests that stop in the middle.</summary>
    internal Action? StepTaken { get; init; }

    /// <summary>Time between two writings of it.</summary>
    public TimeSpan CheckpointInterval { get; init; } = TimeSpan.FromMinutes(1);
}

/// <summary>Where a reconstruction stands.</summary>
/// <param name="Pass">Name of the pass.</param>
/// <param name="Unit">Name of the unit.</param>
/// <param name="UnitIndex">Units of the pass that are done.</param>
/// <param name="UnitCount">Units of the pass that learn.</param>
/// <param name="Iteration">Steps of the unit that are done.</param>
/// <param name="Iterations">Steps that the unit takes.</param>
/// <param name="Loss">Of the latest step.</param>
/// <param name="StepsPerSecond">Of the unit so far.</param>
/// <param name="Left">Estimated from the steps so far; null before there are any.</param>
public sealed record ReconstructionProgress(string Pass, string Unit, int UnitIndex, int UnitCount, int Iteration, int Iterations, double Loss, double StepsPerSecond, TimeSpan? Left);

/// <summary>What became of one unit in one pass.</summary>
/// <param name="Pass">Name of the pass.</param>
/// <param name="Unit">Name of the unit.</param>
/// <param name="Layers">Its layers.</param>
/// <param name="Iterations">Steps taken.</param>
/// <param name="FirstLoss">Loss of the first step.</param>
/// <param name="LastLoss">Loss of the last step.</param>
/// <param name="Undecided">Weights whose rounding was still more than 0.01 from a code.</param>
/// <param name="Seconds">Time of the steps.</param>
public sealed record UnitReport(string Pass, string Unit, int Layers, int Iterations, double FirstLoss, double LastLoss, int Undecided, double Seconds)
{
    /// <summary>Name of the unit in its pass: what <see cref="Quantization.LearningOptions.StepsByUnit"/> asks for.</summary>
    [JsonIgnore]
    public string Key => KeyOf(Pass, Unit);

    internal static string KeyOf(string pass, string unit) => $"{pass}/{unit}";
}
