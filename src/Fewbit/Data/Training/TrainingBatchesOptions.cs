using Fewbit.Tensors;

namespace Fewbit.Data.Training;

/// <summary>Settings of <see cref="TrainingBatches"/>.</summary>
public sealed record TrainingBatchesOptions
{
    /// <summary>Samples a batch, 1 to 65536; a model of fixed batch size decides itself. Default 128.</summary>
    public int BatchSize { get; init => field = Require.InRange(value, 1, 65536, nameof(BatchSize)); } = 128;

    /// <summary>Fixes order, augmentation and mixing of every epoch. Default 0.</summary>
    public long Seed { get; init; }

    /// <summary>Whether the samples come in another random order each epoch. Default: yes.</summary>
    public bool Shuffle { get; init; } = true;

    /// <summary>Whether samples that fill no whole batch are left out of the epoch; always so where the model's batch size is fixed. Default: yes.</summary>
    public bool DropLast { get; init; } = true;

    /// <summary>Random changes of pictures. Default: none.</summary>
    public AugmentationOptions Augmentation { get; init; } = AugmentationOptions.None;

    /// <summary>Batches that are read ahead, 1 to 64. Default 3.</summary>
    public int Prefetch { get; init => field = Require.InRange(value, 1, 64, nameof(Prefetch)); } = 3;

    /// <summary>Background threads that read, 1 to 64; the batches do not depend on it. Default 1.</summary>
    public int Threads { get; init => field = Require.InRange(value, 1, 64, nameof(Threads)); } = 1;

    /// <summary>Bytes of decoded pictures that are kept from one epoch to the next, at least 0. Default 1 GiB.</summary>
    public long CacheBytes { get; init => field = Require.InRange(value, 0, long.MaxValue, nameof(CacheBytes)); } = 1L << 30;
}
