using Fewbit.Data;
using Fewbit.Tensors;

namespace Fewbit.Training;

/// <summary>Parameters that learn in another way than the rest. A parameter belongs to the first group that takes it.</summary>
public sealed record ParameterGroup
{
    /// <summary>Names of the parameters, with * for any text and ? for one character: <c>*.bias</c>, <c>layer1.*</c>. Default: all.</summary>
    public string Names { get; init; } = "*";

    /// <summary>Whether the group takes vectors and scalars alone (biases, scales of normalizations), which usually get no decay.</summary>
    public bool IsVectorsOnly { get; init; }

    /// <summary>Factor of the learning rate, 0 and up. Default 1.</summary>
    public double LearningRateFactor { get; init => field = Require.InRange(value, 0, 1e6, nameof(LearningRateFactor)); } = 1;

    /// <summary>Weight decay, 0 and up; null keeps the optimizer's.</summary>
    public double? WeightDecay { get; init => field = value is { } decay ? Require.InRange(decay, 0, 1e3, nameof(WeightDecay)) : null; }

    /// <summary>Whether the parameters stay as they are.</summary>
    public bool IsFrozen { get; init; }

    /// <summary>Whether the group takes a parameter.</summary>
    internal bool Takes(string name, int rank) => (!IsVectorsOnly || rank <= 1) && NamePattern.Matches(Names, name);
}
