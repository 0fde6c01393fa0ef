using Fewbit.Tensors;

namespace Fewbit.Weights;

/// <summary>Settings of <see cref="WeightFile"/>.</summary>
public sealed record WeightFileOptions
{
    /// <summary>Bytes of tensors above which a file is refused, at least 1. Default 16 GiB.</summary>
    public long MaxBytes { get; init => field = Require.InRange(value, 1, long.MaxValue, nameof(MaxBytes)); } = 16L << 30;
}
