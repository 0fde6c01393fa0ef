using Fewbit.Tensors;

namespace Fewbit.Data;

/// <summary>Samples as the inputs of one run of a model.</summary>
/// <param name="Inputs">A tensor for each input of the model, by name, the samples along dimension 0.</param>
/// <param name="Count">Samples in the batch. A model of fixed batch size may have more rows: the last sample is repeated, its outputs are to be dropped.</param>
/// <param name="First">Index of the first sample in the data set; the others follow.</param>
/// <param name="Labels">Class index of each sample, or null.</param>
public sealed record SampleBatch(IReadOnlyDictionary<string, Tensor> Inputs, int Count, int First, IReadOnlyList<int>? Labels);

/// <summary>Settings of <see cref="SampleBatches"/>.</summary>
public sealed record SampleBatchesOptions
{
    /// <summary>Samples a batch, 1 to 65536; a model of fixed batch size decides itself. Default 32.</summary>
    public int BatchSize { get; init => field = Require.InRange(value, 1, 65536, nameof(BatchSize)); } = 32;

    /// <summary>Batches that are read ahead at the same time, each on a thread of its own, 1 to 64. Default: the processors, at most 8. Memory holds one batch more.</summary>
    public int Threads { get; init => field = Require.InRange(value, 1, 64, nameof(Threads)); } = Math.Min(Environment.ProcessorCount, 8);
}
